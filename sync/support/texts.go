package support

import "contactsync/consent/reason"

// Text says a state in words. Why something is parked or refused is said as the resident is told it.
func (s State) Text() reason.Text {
	text := stageText(s.Stage)
	if why, ok := s.Reason.Text(); ok {
		text.SV, text.EN = text.SV+" "+why.SV, text.EN+" "+why.EN
	}
	return text
}

func stageText(s Stage) reason.Text {
	switch s {
	case Saved:
		return reason.Text{SV: "Sparat här, på väg.", EN: "Saved here, on its way."}
	case UnderWay:
		return reason.Text{SV: "På väg till registret.", EN: "On its way to the register."}
	case PassedOn:
		return reason.Text{SV: "Förd vidare till registret.", EN: "Passed on to the register."}
	case Removed:
		return reason.Text{SV: "Borttagen ur registret.", EN: "Removed from the register."}
	case Parked:
		return reason.Text{SV: "Väntar.", EN: "Parked."}
	case Refused:
		return reason.Text{SV: "Avvisat.", EN: "Refused."}
	default:
		return reason.Text{SV: "Inget val är känt.", EN: "No decision is known."}
	}
}

// Text says what came of a removal.
func (r Result) Text() reason.Text {
	switch r {
	case ToConfirm:
		return reason.Text{
			SV: "Inget är ändrat. Det här tas bort om du bekräftar inom tio minuter:",
			EN: "Nothing has been changed. This goes if you confirm within ten minutes:"}
	case Removing:
		return reason.Text{SV: "Uppgiften tas bort.", EN: "The detail is being removed."}
	case InHand:
		return reason.Text{
			SV: "Uppgiften är redan på väg bort. Inget är ändrat.",
			EN: "The detail is being removed already. Nothing has been changed."}
	default:
		return reason.Text{
			SV: "Här finns inget av personens egna uppgifter att ta bort. Inget är ändrat.",
			EN: "There is nothing of the resident's own to remove. Nothing has been changed."}
	}
}

// OthersText says what becomes of details that other parties entered; only tells that there are no others.
func OthersText(only bool) reason.Text {
	if only {
		return reason.Text{
			SV: "Bara andra, till exempel en mottagning, har fört in uppgifter här. De är deras och rörs inte: be dem ändra.",
			EN: "Only others, such as a clinic, have entered details here. They are theirs and left alone: ask them to change them."}
	}
	return reason.Text{
		SV: "Det som andra, till exempel en mottagning, har fört in är deras och rörs inte.",
		EN: "What others have entered, such as a clinic, is theirs and left alone."}
}

// Release says what would release a parked decision.
func Release(why reason.Code) reason.Text {
	switch why {
	case reason.GuardianUnconfirmed:
		return reason.Text{
			SV: "Släpps när registret bekräftar vårdnaden. Ett nyare val ersätter det.",
			EN: "Released when the register confirms the guardianship. A newer decision replaces it."}
	case reason.PersonUnknown, reason.ProtectedNoAuthority, reason.ContractCannotExpress:
		return reason.Text{
			SV: "En driftsansvarig kan släppa det när hindret är borta (parked release). Ett nytt val av personen ersätter det.",
			EN: "An operator can release it once the hindrance is gone (parked release). A new decision of the resident replaces it."}
	case reason.PersonDeceased, reason.RegisterRefused:
		return reason.Text{
			SV: "Ett nej prövas igen var femtonde minut tills registret tar emot det. Ett ja ersätts av ett nytt val. En driftsansvarig kan släppa det (parked release).",
			EN: "A No is tried again every 15 minutes until the register accepts it. A Yes is replaced by a new decision. An operator can release it (parked release)."}
	case reason.AwaitingApproval:
		return reason.Text{SV: "Släpps när det godkänns.", EN: "Released by an approval."}
	case reason.Dropped:
		return reason.Text{
			SV: "Inget: en driftsansvarig har gett upp det. Personen kan göra ett nytt val.",
			EN: "Nothing: an operator has given it up. The resident can make a new decision."}
	default:
		return reason.Text{
			SV: "Inget: det är avvisat. E-tjänsten måste skicka ett nytt val som är rätt.",
			EN: "Nothing: it is refused. The e-service has to send a new decision that is in order."}
	}
}
