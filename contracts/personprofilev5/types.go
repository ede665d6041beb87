package personprofilev5

import (
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

// MaxPersons is how many persons one call may ask for (TKB 5.1 §7.1).
const MaxPersons = 500

// Profile is how much is asked for (LookupProfileType). Each profile holds all of the one before it. P6 to P10 are reserved.
type Profile string

// The profiles that have a meaning.
const (
	P1 Profile = "P1" // identity, name, linked identities, date of birth, deregistration, protection
	P2 Profile = "P2" // P1 with address, population registration and what reserve identities rest on
	P3 Profile = "P3" // P2 with contact details, contact persons and who changed them
	P4 Profile = "P4" // P3 with all that Skatteverket tells: place of birth, civil status, citizenship, relations
	P5 Profile = "P5" // P4 with history
)

// Answer is what a call tells of one person that it asked for (RequestedPersonRecordType).
type Answer struct {
	rivta.Redacted
	Asked   personv4.ID
	Person  *Person // nil: the register does not know the person
	Unknown []rivta.Element
}

// Person is what the register knows about a person (PersonRecordType). A nil or empty field is absent: the profile that was
// asked for does not hold it, it is not known, or the person is protected.
type Person struct {
	rivta.Redacted
	ID                  personv4.ID // the person's own, or the primary one that the asked one was replaced by
	IdentityLevel       *string     // LevelProven, SANNOLIK, OSAKER or INTE_TILLAMPLIG
	IdentityLevelDate   *PartialDate
	Gender              *string // code
	ProtectedPerson     bool    // sekretessmarkering
	Test                bool    // not a real person: discard it in production
	Primary             bool    // no newer identity has taken the place of this one
	Version             string  // of the contact details, for an update of them; 14 characters, opaque; empty below P3
	Name                *Name
	Linked              []LinkedIdentity   // the same human's other identities
	Referred            []ReferredIdentity // identities that Skatteverket refers to from this one
	Birth               *Birth
	Locality            *Locality
	Registration        *RegistrationRecord
	Addresses           *Addresses
	Entries             []personv4.Entry
	ContactPersons      []personv4.ContactPerson
	Confirmed           []ConfirmedIdentity
	Administrative      *AdministrativeInformation
	Deregistration      *Deregistration // nil: the person lives, and is registered in Sweden or never was
	MaritalStatus       *MaritalStatus
	Immigration         *Immigration
	Citizenships        []Citizenship
	Relations           []Relation
	CoordinationNumber  *CoordinationNumber
	IdentityStatus      *IdentityStatus
	PersonActor         *personv4.Actor
	Actor               *personv4.Actor // who changed the contact details
	Attachments         []Attachment
	OptoutPaper         *bool           // the person wants no letters on paper
	ProtectedPopulation *bool           // skyddad folkbokföring
	Unknown             []rivta.Element // those of the contact details too
}

// Protected tells whether the restricted contract hides all but P1.
func (x Person) Protected() bool {
	return x.ProtectedPerson || x.ProtectedPopulation != nil && *x.ProtectedPopulation
}

// Deceased tells whether the person is known to be dead.
func (x Person) Deceased() bool {
	d, status := x.Deregistration, x.IdentityStatus
	return d != nil && (d.Reason != nil && *d.Reason == Deceased || d.FoundDead != nil) ||
		status != nil && status.Cause != nil && *status.Cause == CauseDeceased
}

// LevelProven is the IdentityLevel of an identity that was proven.
const LevelProven = "STYRKT"

// Reasons of a Deregistration that we know the meaning of (codes of Skatteverket).
const (
	Deceased  = "AV"
	Emigrated = "UV"
	OldNumber = "GN" // the person has got another personal identity number
)

// Statuses and causes of an IdentityStatus.
const (
	StatusActive       = "AKTIVT"
	StatusDeregistered = "AVREGISTRERAT"
	CauseDeceased      = "AVLIDEN"
	CauseReplaced      = "ERSATT"
)

// Types of a Relation that we know the meaning of (codes of Skatteverket).
const (
	Guardian = "V"  // the other one has custody of the person (vårdnadshavare)
	Ward     = "VF" // the person has custody of the other one (vårdnadshavare för)
	Child    = "B"
	Mother   = "MO"
	Father   = "FA"
	Parent   = "F"
	Spouse   = "M"
	Partner  = "P"
)

// Related returns the identities of those to whom the person has a relation of the type, such as Guardian or Ward, now: those
// that have a relationshipToDate are over. It needs a person of profile P4, and leaves out whom the register tells no identity of.
func (x Person) Related(kind string) []personv4.ID {
	var ids []personv4.ID
	for _, r := range x.Relations {
		if r.Type == kind && r.Other.Person != nil && r.To == nil {
			ids = append(ids, *r.Other.Person)
		}
	}
	return ids
}

// PrimaryID is the identity that stands for the human now: the person's own or a linked one.
func (x Person) PrimaryID() personv4.ID {
	for _, other := range x.Linked {
		if !x.Primary && other.Primary {
			return other.ID
		}
	}
	return x.ID
}

// LinkedIDs are all identities of the human, the primary one first.
func (x Person) LinkedIDs() []personv4.ID {
	primary := x.PrimaryID()
	ids := []personv4.ID{primary}
	if x.ID != primary {
		ids = append(ids, x.ID)
	}
	for _, other := range x.Linked {
		if other.ID != primary {
			ids = append(ids, other.ID)
		}
	}
	return ids
}

// Record is the person's contact details as GetPersonContactInformation has them; it can be changed and written back. Nil
// when the answer does not hold them: the profile was below P3, or the restricted contract has hidden them.
func (x Person) Record() *personv4.Record {
	if x.Version == "" {
		return nil
	}
	return &personv4.Record{Version: x.Version, Person: x.ID, Entries: x.Entries, ContactPersons: x.ContactPersons,
		ProtectedPerson: x.ProtectedPerson, ProtectedPopulation: x.ProtectedPopulation, OptoutPaper: x.OptoutPaper, Actor: x.Actor,
		Unknown: x.Unknown}
}

// PartialDate is a date of which the day, or month and day, may not be known (PartialDateType).
type PartialDate struct {
	rivta.Redacted
	Format  string // YYYY, YYYY-MM or YYYY-MM-DD
	Value   string // 4 to 10 characters
	Unknown []rivta.Element
}

// Name is what a person is called (NameType).
type Name struct {
	rivta.Redacted
	GivenNameIndicator *int    // tilltalsnamn: 10 to 99, the digits count given names; 20 is the second one, 12 both
	GivenName          *string // at most 80 characters, as the next two
	MiddleName         *string
	Surname            *string
	NotificationName   *string // aviseringsnamn: the name for a letter, at most 40 characters
	Unknown            []rivta.Element
}

// LinkedIdentity is another identity of the same human (LinkedIdentityType).
type LinkedIdentity struct {
	rivta.Redacted
	ID             personv4.ID
	AssuranceLevel string // code; how sure it is that both are the same
	Primary        bool   // this one stands for the human now
	Unknown        []rivta.Element
}

// ReferredIdentity is an identity that Skatteverket refers to (ReferredPersonalIdentityType).
type ReferredIdentity struct {
	rivta.Redacted
	ID      personv4.ID
	Status  *string // StatusNew, or AS
	Unknown []rivta.Element
}

// StatusNew is that of a ReferredIdentity which has taken the place of the one that refers.
const StatusNew = "NY"

// Birth is when and where the person was born (BirthType). The places are not below P4.
type Birth struct {
	rivta.Redacted
	Date    *PartialDate
	Sweden  *PlaceOfBirth
	Abroad  *BirthAbroad
	Unknown []rivta.Element
}

// PlaceOfBirth is a place in Sweden (PlaceOfBirthSwedenType).
type PlaceOfBirth struct {
	rivta.Redacted
	CountyCode *string
	Parish     *string
	Unknown    []rivta.Element
}

// BirthAbroad is a place elsewhere (BirthAbroadType).
type BirthAbroad struct {
	rivta.Redacted
	Place, Country *string
	Unknown        []rivta.Element
}

// Locality is where the person is registered (PopulationRegistrationLocalityType). P1 has the county only.
type Locality struct {
	rivta.Redacted
	Date                     *PartialDate
	CountyCode               *string
	MunicipalityCode         *string
	ParishCode               *string
	PropertyDesignation      *string
	FictitiousPropertyNumber *int
	Type                     *string
	From, To                 *string // local registration, xs:dateTime as written
	Unknown                  []rivta.Element
}

// RegistrationRecord is what the population register told last (PopulationRegistrationRecordType).
type RegistrationRecord struct {
	rivta.Redacted
	SynchronizationTime *string // xs:dateTime as written
	Case                *NotificationCase
	History             *History // not below P5
	Unknown             []rivta.Element
}

// NotificationCase is a message of the population register (NotificationCaseType).
type NotificationCase struct {
	rivta.Redacted
	RecordID         *string // 16 characters
	Type             *string
	ModificationTime *string // xs:dateTime as written
	TotalRecord      *bool
	Date             *PartialDate
	Unknown          []rivta.Element
}

// History is what was so before (HistoricalRecordsType).
type History struct {
	rivta.Redacted
	Localities []Locality
	Address    *personv4.Address
	Unknown    []rivta.Element
}

// Addresses are where letters reach the person (AddressInformationType).
type Addresses struct {
	rivta.Redacted
	Residential  *personv4.Address // folkbokföringsadress
	NationalKeys *NationalKeys
	District     *District
	Special      *personv4.Address // särskild postadress
	Abroad       *AddressAbroad
	Given        *personv4.Address // told by the person to care
	UUID         *PropertyUUIDs
	Unknown      []rivta.Element
}

// NationalKeys are numbers of land and house (NationalKeysType).
type NationalKeys struct {
	rivta.Redacted
	PropertyID     *string
	AddressPlaceID *int
	ApartmentID    *int
	Unknown        []rivta.Element
}

// District is a part of the country (DistrictType).
type District struct {
	rivta.Redacted
	Code    *string
	Unknown []rivta.Element
}

// AddressAbroad is an address outside Sweden (AddressAbroadType).
type AddressAbroad struct {
	rivta.Redacted
	PostalAddress1, PostalAddress2, PostalAddress3 *string
	CountryCode                                    *string
	Date, VotingDate                               *PartialDate
	Unknown                                        []rivta.Element
}

// PropertyUUIDs identify land and house (UUIDType).
type PropertyUUIDs struct {
	rivta.Redacted
	PropertyID, AddressPlaceID, ApartmentID *string
	Unknown                                 []rivta.Element
}

// ConfirmedIdentity is a document by which a reserve identity was given (ConfirmedIdentityType).
type ConfirmedIdentity struct {
	rivta.Redacted
	Type, Number, Issuer *string
	Valid                *personv4.Period
	Attachments          []string
	CountryCode          *string
	Unknown              []rivta.Element
}

// AdministrativeInformation is how care sorts the person (AdministrativeInformationType).
type AdministrativeInformation struct {
	rivta.Redacted
	Category, AccountCode, Comment *string
	Unknown                        []rivta.Element
}

// Deregistration is why the person is not registered any more (DeregistrationType).
type Deregistration struct {
	rivta.Redacted
	Reason    *string // such as Deceased
	Date      *PartialDate
	FoundDead *PartialDate
	Unknown   []rivta.Element
}

// MaritalStatus is the civil status (MaritalStatusType).
type MaritalStatus struct {
	rivta.Redacted
	Code    *string
	Date    *PartialDate
	Unknown []rivta.Element
}

// Immigration is how the person came (ImmigrationType).
type Immigration struct {
	rivta.Redacted
	Date             *PartialDate
	RightOfResidence *bool
	Identities       []ForeignIdentity
	Unknown          []rivta.Element
}

// ForeignIdentity is an identity that another country gave (ImmigrationIdentityType).
type ForeignIdentity struct {
	rivta.Redacted
	Number, Country string
	Unknown         []rivta.Element
}

// Citizenship is of one country (CitizenshipType).
type Citizenship struct {
	rivta.Redacted
	Country *string
	Date    *PartialDate
	Status  *string
	Unknown []rivta.Element
}

// Relation is what somebody else is to the person (RelationshipType).
type Relation struct {
	rivta.Redacted
	Other          RelationID
	Type           string // such as Guardian
	From, To       *PartialDate
	Name           *Name
	Deregistration *Deregistration // of the other one
	Status         *string
	Unknown        []rivta.Element
}

// RelationID tells who the other one is (RelationshipIdType): by identity, or by date of birth where there is none.
type RelationID struct {
	rivta.Redacted
	Person  *personv4.ID
	Born    *PartialDate
	Unknown []rivta.Element
}

// CoordinationNumber is what is known of a samordningsnummer (CoOrdinationNumberDataType).
type CoordinationNumber struct {
	rivta.Redacted
	Allocated, PreliminaryTransfer, Renewal, Deceased *PartialDate
	Unknown                                           []rivta.Element
}

// IdentityStatus tells whether the identity is in use (PersonalIdentityStatusType).
type IdentityStatus struct {
	rivta.Redacted
	Status  *string // StatusActive, StatusDeregistered, VILANDEFORKLARAT, VILANDEFORKLARAT_STANGT or EJ_AKTUELLT
	Date    *PartialDate
	Cause   *string // CauseDeceased, CauseReplaced, TIDSFRIST, ANNAN_ORSAK or FELAKTIGT_REGISTERAT (spelled so)
	Unknown []rivta.Element
}

// Attachment is a document about the person (MultimediaType).
type Attachment struct {
	rivta.Redacted
	ID        *string
	MediaType string
	Value     *string // xs:base64Binary as written
	Reference *string
	Unknown   []rivta.Element
}
