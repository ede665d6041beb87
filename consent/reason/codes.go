package reason

// The form of an event is wrong: what the e-service sent cannot be understood, whatever the person chose.
const (
	FormJSON             Code = "form_invalid:json"              // the body is no JSON object
	FormID               Code = "form_invalid:id"                // event id missing or no UUID
	FormSpecVersion      Code = "form_invalid:specversion"       // not CloudEvents 1.0
	FormType             Code = "form_invalid:type"              // unknown event type, or a major we do not read
	FormSource           Code = "form_invalid:source"            // source missing or no urn:hsaid
	FormTime             Code = "form_invalid:time"              // event time is no RFC 3339 time
	FormContentType      Code = "form_invalid:content_type"      // content type is not JSON
	FormHeaderDuplicated Code = "form_invalid:header_duplicated" // the same header twice: no telling which one holds
	FormPerson           Code = "form_invalid:person"            // person missing or no object
	FormChannel          Code = "form_invalid:channel"           // neither mobile nor email
	FormDecision         Code = "form_invalid:decision"          // neither share nor withdraw
	FormRevision         Code = "form_invalid:revision"          // no whole number, or below 1
	FormDecidedAt        Code = "form_invalid:decided_at"        // time of the decision missing or no RFC 3339 time
	FormNotify           Code = "form_invalid:notify"            // neither true nor false
	FormActor            Code = "form_invalid:actor"             // unknown role, or an id that is none
	FormNotice           Code = "form_invalid:notice"            // not a version and a language
	FormReason           Code = "form_invalid:reason"            // unknown reason of a withdrawal
	FormLineTooLong      Code = "form_invalid:line_too_long"     // of a file of events only: no record holds such a line
	FormTransactional    Code = "form_invalid:transactional"     // written in a Kafka transaction: a reader cannot tell whether it was aborted
)

// The identity of a person is wrong. The same codes serve person and actor; Refusal.Field tells which.
const (
	FormIdentityRoot          Code = "form_invalid:identity_root"           // an identity type that is not handled, or none
	FormIdentityReserveNumber Code = "form_invalid:identity_reserve_number" // a national reserve number
	FormIdentityDigits        Code = "form_invalid:identity_digits"         // not exactly twelve digits
	FormIdentityCentury       Code = "form_invalid:identity_century"        // begins with neither 19 nor 20
	FormIdentityRootMismatch  Code = "form_invalid:identity_root_mismatch"  // a personnummer sent as samordningsnummer, or the reverse
	FormIdentityDate          Code = "form_invalid:identity_date"           // no real date
	FormIdentityFuture        Code = "form_invalid:identity_future"         // born after today
	FormIdentityCheckDigit    Code = "form_invalid:identity_check_digit"    // the last digit does not fit the others
)

// The value is wrong in a way that has nothing to do with its channel.
const (
	ValueEmpty             Code = "value_invalid:empty"              // missing, null, empty or blank
	ValueNotText           Code = "value_invalid:not_text"           // not a JSON string
	ValueControlCharacters Code = "value_invalid:control_characters" // line breaks, tabs and the like; also in the middle of a value
	ValueTooLong           Code = "value_invalid:too_long"           // longer than any value of any channel
)

// A mobile number is refused.
const (
	MobileCharacters     Code = "value_invalid:mobile_characters"      // anything but digits, space, - ( ) . and a leading +
	MobileExtension      Code = "value_invalid:mobile_extension"       // an extension (anknytning) after the number
	MobileTooShort       Code = "value_invalid:mobile_too_short"       // fewer digits than a mobile number of that country
	MobileTooLong        Code = "value_invalid:mobile_too_long"        // more digits than a mobile number of that country
	MobileCountryCode    Code = "value_invalid:mobile_country_code"    // the country code does not exist
	MobileInvalid        Code = "value_invalid:mobile_invalid"         // right length, but not a number in use
	MobileFixedLine      Code = "value_invalid:mobile_fixed_line"      // a fixed line
	MobilePager          Code = "value_invalid:mobile_pager"           // a pager (0740)
	MobileSharedCost     Code = "value_invalid:mobile_shared_cost"     // shared cost (077)
	MobileTollFree       Code = "value_invalid:mobile_toll_free"       // free to call (020)
	MobilePremiumRate    Code = "value_invalid:mobile_premium_rate"    // costs extra to call (0900)
	MobilePersonalNumber Code = "value_invalid:mobile_personal_number" // personal number that follows its owner (075)
	MobileVoIP           Code = "value_invalid:mobile_voip"            // internet telephony
	MobileOtherType      Code = "value_invalid:mobile_other_type"      // voicemail, company-wide number, or a type unknown to us
)

// An e-mail address is refused.
const (
	EmailSpaceAround      Code = "value_invalid:email_space_around"      // space before or after
	EmailDisplayName      Code = "value_invalid:email_display_name"      // a name beside the address, or angle brackets
	EmailComment          Code = "value_invalid:email_comment"           // a comment in parentheses
	EmailQuotedLocal      Code = "value_invalid:email_quoted_local"      // quotation marks
	EmailAtMissing        Code = "value_invalid:email_at_missing"        // no @
	EmailAtRepeated       Code = "value_invalid:email_at_repeated"       // more than one @: mistyped, or several addresses
	EmailLocalMissing     Code = "value_invalid:email_local_missing"     // nothing before @
	EmailLocalTooLong     Code = "value_invalid:email_local_too_long"    // more than 64 before @
	EmailLocalNotASCII    Code = "value_invalid:email_local_not_ascii"   // å, ä, ö and the like before @
	EmailLocalDots        Code = "value_invalid:email_local_dots"        // begins or ends with a dot, or two in a row, before @
	EmailLocalCharacters  Code = "value_invalid:email_local_characters"  // another character that cannot stand before @
	EmailDomainMissing    Code = "value_invalid:email_domain_missing"    // nothing after @
	EmailIPLiteral        Code = "value_invalid:email_ip_literal"        // an IP address after @
	EmailDomainUndotted   Code = "value_invalid:email_domain_undotted"   // no dot after @
	EmailDomainDots       Code = "value_invalid:email_domain_dots"       // begins or ends with a dot, or two in a row, after @
	EmailDomainCharacters Code = "value_invalid:email_domain_characters" // a character that cannot stand after @
	EmailDomainHyphen     Code = "value_invalid:email_domain_hyphen"     // a part after @ begins or ends with a hyphen
	EmailLabelTooLong     Code = "value_invalid:email_label_too_long"    // a part after @ longer than 63
	EmailDomainIDN        Code = "value_invalid:email_domain_idn"        // an international domain that cannot be one
	EmailTooLong          Code = "value_invalid:email_too_long"          // more than 254 in all
	EmailForm             Code = "value_invalid:email_form"              // not an address for another reason
)

// The decision was understood, and is refused.
const (
	ActorNotAllowed    Code = "actor_not_allowed"    // the e-service may not speak for this actor
	ClockAhead         Code = "clock_ahead"          // revision further in the future than clocks may differ
	GuardianNotAllowed Code = "guardian_not_allowed" // not guardian, the child is 13 or older, or either is protected
	Dropped            Code = "dropped"              // a share that could not be pushed, and was given up by a person
)

// The decision holds, but cannot be pushed yet.
const (
	GuardianUnconfirmed   Code = "guardian_unconfirmed"    // the register has not confirmed the guardianship
	PersonUnknown         Code = "person_unknown"          // the register does not know the identity
	PersonDeceased        Code = "person_deceased"         // the register says the person is dead
	ProtectedNoAuthority  Code = "protected_no_authority"  // protected identity, and the caller may not write such records
	ContractCannotExpress Code = "contract_cannot_express" // the service contract in use has no place for it
	AwaitingApproval      Code = "awaiting_approval"       // a person must approve first
	RegisterRefused       Code = "register_refused"        // the register said no, for a reason of its own
)

// Why a decision that was in order changed nothing, and what else a push changed (an effect).
const (
	NewerDecision    Code = "newer_decision"      // superseded: the person has decided anew
	SharedElsewhere  Code = "shared_elsewhere"    // a scoped withdrawal: the detail was shared through another e-service
	PaperOptOutEnded Code = "paper_opt_out_ended" // effect: no digital notification is left, so letters come on paper again
)
