package reason

import "slices"

// Text is what a code says to the resident, in Swedish and English: what happened, and what to do.
type Text struct{ SV, EN string }

// Entry is a code with its text.
type Entry struct {
	Code Code
	Text Text
}

// List returns every reason code of the system with its text, family by family. It is the one list: a code that is not in it
// may not be used, and a test of this package sees to that.
func List() []Entry {
	return slices.Concat(formTexts(), identityTexts(), valueTexts(), mobileTexts(), emailTexts(), pushTexts())
}

// Text returns the text of a code, and whether the code is listed.
func (c Code) Text() (Text, bool) {
	for _, entry := range List() {
		if entry.Code == c {
			return entry.Text, true
		}
	}
	return Text{}, false
}

// faultOfEService completes a text about what only the e-service can mend.
func faultOfEService(code Code, sv, en string) Entry {
	return Entry{code, Text{
		sv + " Ditt val har inte förts vidare. Försök igen, och kontakta e-tjänstens support om det inte hjälper.",
		en + " Your choice has not been passed on. Try again, and contact the support of the e-service if that does not help.",
	}}
}

func formTexts() []Entry {
	return []Entry{
		faultOfEService(FormJSON, "E-tjänsten skickade ett val som inte går att läsa.", "The e-service sent a choice that cannot be read."),
		faultOfEService(FormID, "E-tjänsten skickade ditt val utan den märkning som behövs för att följa det.", "The e-service sent your choice without the label that is needed to follow it."),
		faultOfEService(FormSpecVersion, "E-tjänsten skickade ditt val i ett format som vi inte kan läsa.", "The e-service sent your choice in a format that we cannot read."),
		faultOfEService(FormType, "E-tjänsten skickade en sorts meddelande som vi inte känner till.", "The e-service sent a kind of message that we do not know."),
		faultOfEService(FormSource, "Det framgår inte vilken e-tjänst som skickade ditt val.", "It is not clear which e-service sent your choice."),
		faultOfEService(FormTime, "E-tjänsten angav inte rätt när ditt val skickades.", "The e-service did not say correctly when your choice was sent."),
		faultOfEService(FormContentType, "E-tjänsten skickade ditt val som fel sorts innehåll.", "The e-service sent your choice as the wrong kind of content."),
		faultOfEService(FormHeaderDuplicated, "E-tjänsten skickade samma uppgift två gånger, och vi vet inte vilken som gäller.", "The e-service sent the same information twice, and we do not know which one to trust."),
		faultOfEService(FormPerson, "E-tjänsten angav inte vem valet gäller.", "The e-service did not say whom the choice is about."),
		faultOfEService(FormChannel, "E-tjänsten angav inte om valet gäller mobilnummer eller e-postadress.", "The e-service did not say whether the choice is about a mobile number or an e-mail address."),
		faultOfEService(FormDecision, "E-tjänsten angav inte om du ville dela uppgiften eller sluta dela den.", "The e-service did not say whether you wanted to share the detail or stop sharing it."),
		faultOfEService(FormRevision, "E-tjänsten angav inte rätt i vilken ordning dina val gjordes.", "The e-service did not say correctly in which order your choices were made."),
		faultOfEService(FormDecidedAt, "E-tjänsten angav inte rätt när du gjorde ditt val.", "The e-service did not say correctly when you made your choice."),
		faultOfEService(FormNotify, "E-tjänsten angav inte tydligt om du vill få meddelanden dit.", "The e-service did not say clearly whether you want to be notified there."),
		faultOfEService(FormActor, "E-tjänsten angav inte rätt vem som gjorde valet.", "The e-service did not say correctly who made the choice."),
		faultOfEService(FormNotice, "E-tjänsten angav inte rätt vilken information du fick läsa när du valde.", "The e-service did not say correctly which information you were shown when you chose."),
		faultOfEService(FormReason, "E-tjänsten angav ett skäl som vi inte känner till.", "The e-service gave a reason that we do not know."),
		faultOfEService(FormLineTooLong, "E-tjänsten skrev ett val som är för stort för att skickas.", "The e-service wrote a choice that is too large to be sent."),
		faultOfEService(FormTransactional, "E-tjänsten skickade valet på ett sätt som inte går att lita på.", "The e-service sent the choice in a way that cannot be relied on."),
	}
}

func identityTexts() []Entry {
	return []Entry{
		{FormIdentityRoot, Text{
			"Bara den som har svenskt personnummer eller samordningsnummer kan dela kontaktuppgifter här. Kontakta e-tjänstens support om du har ett sådant nummer.",
			"Only a person with a Swedish personal identity number or coordination number can share contact details here. Contact the support of the e-service if you have one."}},
		{FormIdentityReserveNumber, Text{
			"Det går inte att dela kontaktuppgifter med ett reservnummer. Be din mottagning om hjälp.",
			"Contact details cannot be shared with a reserve number. Ask your clinic for help."}},
		{FormIdentityDigits, Text{
			"Personnumret ska vara tolv siffror utan bindestreck: år, månad, dag och de fyra sista. Kontrollera numret och försök igen.",
			"The personal identity number must be twelve digits without a hyphen: year, month, day and the last four. Check the number and try again."}},
		{FormIdentityCentury, Text{
			"Personnumret ska börja med 19 eller 20. Kontrollera numret och försök igen.",
			"The personal identity number must begin with 19 or 20. Check the number and try again."}},
		faultOfEService(FormIdentityRootMismatch,
			"E-tjänsten blandade ihop personnummer och samordningsnummer.", "The e-service mixed up personal identity number and coordination number."),
		{FormIdentityDate, Text{
			"Födelsedatumet i personnumret finns inte. Kontrollera numret och försök igen.",
			"The date of birth in the personal identity number does not exist. Check the number and try again."}},
		{FormIdentityFuture, Text{
			"Födelsedatumet i personnumret har inte varit än. Kontrollera numret och försök igen.",
			"The date of birth in the personal identity number is still to come. Check the number and try again."}},
		{FormIdentityCheckDigit, Text{
			"Någon siffra i personnumret är fel. Kontrollera numret och försök igen.",
			"A digit in the personal identity number is wrong. Check the number and try again."}},
	}
}

func valueTexts() []Entry {
	return []Entry{
		{ValueEmpty, Text{
			"Du har inte skrivit något. Skriv det mobilnummer eller den e-postadress som du vill dela.",
			"You have not written anything. Write the mobile number or e-mail address that you want to share."}},
		faultOfEService(ValueNotText,
			"E-tjänsten skickade inte mobilnumret eller e-postadressen som text.", "The e-service did not send the mobile number or e-mail address as text."),
		{ValueControlCharacters, Text{
			"Det finns osynliga tecken, till exempel en radbrytning. Skriv in uppgiften för hand i stället för att klistra in den.",
			"There are invisible characters in it, such as a line break. Type the detail by hand instead of pasting it."}},
		{ValueTooLong, Text{
			"Det är för långt för att vara ett mobilnummer eller en e-postadress. Kontrollera vad du har skrivit.",
			"It is too long to be a mobile number or an e-mail address. Check what you have written."}},
	}
}

func mobileTexts() []Entry {
	return []Entry{
		{MobileCharacters, Text{
			"Skriv mobilnumret med bara siffror. Mellanslag, bindestreck, punkter, parenteser och ett plustecken först går också bra.",
			"Write the mobile number with digits only. Spaces, hyphens, dots, parentheses and a plus sign at the start are fine too."}},
		{MobileExtension, Text{
			"Numret har en anknytning. Skriv ett mobilnummer utan anknytning.",
			"The number has an extension. Write a mobile number without an extension."}},
		{MobileTooShort, Text{
			"Numret är för kort. Ett svenskt mobilnummer har tio siffror, till exempel 070-174 06 05. Kontrollera om någon siffra saknas.",
			"The number is too short. A Swedish mobile number has ten digits, such as 070-174 06 05. Check whether a digit is missing."}},
		{MobileTooLong, Text{
			"Numret är för långt. Ett svenskt mobilnummer har tio siffror, till exempel 070-174 06 05. Skriv ett enda nummer.",
			"The number is too long. A Swedish mobile number has ten digits, such as 070-174 06 05. Write one number only."}},
		{MobileCountryCode, Text{
			"Landsnumret finns inte. Börja med 0 för ett svenskt nummer, annars med + och landets nummer.",
			"The country code does not exist. Begin with 0 for a Swedish number, otherwise with + and the number of the country."}},
		{MobileInvalid, Text{
			"Det finns inget mobilnummer som ser ut så. Kontrollera numret. Är det utländskt ska det börja med + och landets nummer.",
			"No mobile number looks like that. Check the number. If it is foreign, it must begin with + and the number of the country."}},
		{MobileFixedLine, Text{
			"Det är numret till en fast telefon, som inte kan ta emot sms. Skriv ett mobilnummer.",
			"That is the number of a landline, which cannot receive text messages. Write a mobile number."}},
		{MobilePager, Text{
			"Det är numret till en personsökare. Skriv ett mobilnummer.",
			"That is the number of a pager. Write a mobile number."}},
		{MobileSharedCost, Text{
			"Det är ett 077-nummer eller liknande, som inte kan ta emot sms. Skriv ett mobilnummer.",
			"That is a number with shared cost, such as those that begin with 077, which cannot receive text messages. Write a mobile number."}},
		{MobileTollFree, Text{
			"Det är ett 020-nummer eller liknande, som är gratis att ringa men inte kan ta emot sms. Skriv ett mobilnummer.",
			"That is a number that is free to call, such as those that begin with 020, and cannot receive text messages. Write a mobile number."}},
		{MobilePremiumRate, Text{
			"Det är ett betalnummer. Skriv ett mobilnummer.",
			"That is a number that costs extra to call. Write a mobile number."}},
		{MobilePersonalNumber, Text{
			"Det är ett 075-nummer eller liknande, som kopplas vidare och inte säkert kan ta emot sms. Skriv ett mobilnummer.",
			"That is a number that is forwarded, such as those that begin with 075, and may not receive text messages. Write a mobile number."}},
		{MobileVoIP, Text{
			"Det är ett nummer för internettelefoni. Skriv ett mobilnummer.",
			"That is a number for internet telephony. Write a mobile number."}},
		{MobileOtherType, Text{
			"Det är inte ett mobilnummer, utan till exempel numret till en telefonväxel. Skriv ett mobilnummer.",
			"That is not a mobile number but, for example, the number of a switchboard. Write a mobile number."}},
	}
}

func emailTexts() []Entry {
	return []Entry{
		{EmailSpaceAround, Text{
			"Det finns ett mellanslag före eller efter e-postadressen. Ta bort det.",
			"There is a space before or after the e-mail address. Remove it."}},
		{EmailDisplayName, Text{
			"Skriv bara själva e-postadressen, utan namn och utan tecknen < och >.",
			"Write the e-mail address only, without a name and without the signs < and >."}},
		{EmailComment, Text{
			"Ta bort parentesen. Skriv bara själva e-postadressen.",
			"Remove the parentheses. Write the e-mail address only."}},
		{EmailQuotedLocal, Text{
			"E-postadresser med citattecken går inte att använda här. Skriv adressen utan citattecken, eller en annan adress.",
			"E-mail addresses with quotation marks cannot be used here. Write the address without them, or another address."}},
		{EmailAtMissing, Text{
			"E-postadressen saknar @. Skriv hela adressen, till exempel anna@example.se.",
			"The e-mail address has no @. Write the whole address, such as anna@example.se."}},
		{EmailAtRepeated, Text{
			"Det finns mer än ett @. Skriv en enda e-postadress, med ett @.",
			"There is more than one @. Write a single e-mail address, with one @."}},
		{EmailLocalMissing, Text{
			"Det saknas något före @. Skriv hela e-postadressen, till exempel anna@example.se.",
			"Something is missing before @. Write the whole e-mail address, such as anna@example.se."}},
		{EmailLocalTooLong, Text{
			"Delen före @ är för lång. Den får ha högst 64 tecken. Kontrollera e-postadressen.",
			"The part before @ is too long. It may have at most 64 characters. Check the e-mail address."}},
		{EmailLocalNotASCII, Text{
			"Före @ går det bara att använda a till z, siffror och vanliga skiljetecken, inte å, ä och ö. Kontrollera e-postadressen, eller skriv en annan.",
			"Only a to z, digits and common punctuation can be used before @, no letters with accents or dots. Check the e-mail address, or write another one."}},
		{EmailLocalDots, Text{
			"Delen före @ får inte börja eller sluta med en punkt, och inte ha två punkter i rad. Kontrollera e-postadressen.",
			"The part before @ must not begin or end with a dot, nor have two dots in a row. Check the e-mail address."}},
		{EmailLocalCharacters, Text{
			"Det finns ett tecken före @ som inte kan vara med i en e-postadress, till exempel ett mellanslag eller ett komma. Ta bort det.",
			"There is a character before @ that cannot be part of an e-mail address, such as a space or a comma. Remove it."}},
		{EmailDomainMissing, Text{
			"Det saknas något efter @. Skriv hela e-postadressen, till exempel anna@example.se.",
			"Something is missing after @. Write the whole e-mail address, such as anna@example.se."}},
		{EmailIPLiteral, Text{
			"Efter @ ska det stå ett namn, till exempel example.se, inte ett nummer på en dator. Kontrollera e-postadressen.",
			"After @ there must be a name, such as example.se, not the number of a computer. Check the e-mail address."}},
		{EmailDomainUndotted, Text{
			"Slutet av e-postadressen saknas, till exempel .se eller .com. Skriv hela adressen.",
			"The end of the e-mail address is missing, such as .se or .com. Write the whole address."}},
		{EmailDomainDots, Text{
			"Delen efter @ får inte börja eller sluta med en punkt, och inte ha två punkter i rad. Kontrollera e-postadressen.",
			"The part after @ must not begin or end with a dot, nor have two dots in a row. Check the e-mail address."}},
		{EmailDomainCharacters, Text{
			"Det finns ett tecken efter @ som inte kan vara med i en e-postadress, till exempel ett mellanslag eller ett komma. Ta bort det.",
			"There is a character after @ that cannot be part of an e-mail address, such as a space or a comma. Remove it."}},
		{EmailDomainHyphen, Text{
			"Ett bindestreck står fel efter @: inte först, inte sist och inte intill en punkt. Kontrollera e-postadressen.",
			"A hyphen is in the wrong place after @: not first, not last and not next to a dot. Check the e-mail address."}},
		{EmailLabelTooLong, Text{
			"Delen efter @ har ett för långt namn: högst 63 tecken mellan punkterna. Kontrollera e-postadressen.",
			"The part after @ has too long a name: at most 63 characters between the dots. Check the e-mail address."}},
		{EmailDomainIDN, Text{
			"Delen efter @ har bokstäver eller tecken som inte går att använda tillsammans i en e-postadress. Skriv den för hand, eller skriv en annan adress.",
			"The part after @ has letters or characters that cannot be used together in an e-mail address. Type it by hand, or write another address."}},
		{EmailTooLong, Text{
			"E-postadressen är för lång. Den får ha högst 254 tecken. Kontrollera adressen.",
			"The e-mail address is too long. It may have at most 254 characters. Check the address."}},
		{EmailForm, Text{
			"Det ser inte ut som en e-postadress. Kontrollera slutet, till exempel .se eller .com.",
			"That does not look like an e-mail address. Check the end, such as .se or .com."}},
	}
}

func pushTexts() []Entry {
	return []Entry{
		faultOfEService(ActorNotAllowed,
			"E-tjänsten får inte skicka den här sortens val.", "The e-service may not send this kind of choice."),
		faultOfEService(ClockAhead,
			"E-tjänstens klocka går fel: ditt val ser ut att vara gjort i framtiden.", "The clock of the e-service is wrong: your choice seems to be made in the future."),
		{GuardianNotAllowed, Text{
			"Du kan inte dela kontaktuppgifter åt det här barnet. Det kan bara en vårdnadshavare, för barn under 13 år, och inte om någon av er har skyddade personuppgifter. Barnet kan logga in och dela själv.",
			"You cannot share contact details for this child. Only a guardian can, for children under 13, and not if either of you has protected personal data. The child can log in and share on their own."}},
		{Dropped, Text{
			"Ditt val gick inte att föra vidare, och vi har slutat försöka. Vill du fortfarande dela uppgiften, så gör ett nytt val.",
			"Your choice could not be passed on, and we have stopped trying. If you still want to share the detail, make a new choice."}},
		{GuardianUnconfirmed, Text{
			"Ditt val väntar på att det bekräftas att du är barnets vårdnadshavare. Du behöver inte göra något.",
			"Your choice waits until it is confirmed that you are the guardian of the child. You need not do anything."}},
		{PersonUnknown, Text{
			"Du finns inte i Personuppgiftstjänsten än, så ditt val väntar. Du behöver inte göra något. Kontakta e-tjänstens support om det dröjer.",
			"You are not in the national personal-data service yet, so your choice waits. You need not do anything. Contact the support of the e-service if it takes long."}},
		{PersonDeceased, Text{
			"Personen är registrerad som avliden, och då tar Personuppgiftstjänsten inte emot några ändringar. Kontakta e-tjänstens support om det är fel.",
			"The person is registered as deceased, and the national personal-data service then takes no changes. Contact the support of the e-service if that is wrong."}},
		{ProtectedNoAuthority, Text{
			"Du har skyddade personuppgifter, och vi har inte rätt att föra vidare ditt val än. Det väntar. Kontakta e-tjänstens support om det dröjer.",
			"Your personal data is protected, and we are not authorised to pass on your choice yet. It waits. Contact the support of the e-service if it takes long."}},
		{ContractCannotExpress, Text{
			"Ditt val går inte att föra vidare med den förbindelse som används nu, så det väntar. Du behöver inte göra något.",
			"Your choice cannot be passed on over the connection in use now, so it waits. You need not do anything."}},
		{AwaitingApproval, Text{
			"Ändringen väntar på att den godkänns. Du behöver inte göra något.",
			"The change waits for approval. You need not do anything."}},
		{RegisterRefused, Text{
			"Personuppgiftstjänsten tog inte emot ditt val. Supporten ser det och undersöker varför. Du behöver inte göra något.",
			"The national personal-data service did not accept your choice. Support can see it and looks into why. You need not do anything."}},
		{NewerDecision, Text{
			"Du har gjort ett nyare val, och det är det som gäller.",
			"You have made a newer choice, and that is the one that counts."}},
		{SharedElsewhere, Text{
			"Uppgiften delas fortfarande, för att du har valt det i en annan e-tjänst. Vill du sluta dela den, så ändra ditt val.",
			"The detail is still shared, because you chose so in another e-service. If you want to stop sharing it, change your choice."}},
		{PaperOptOutEnded, Text{
			"Du får brev på papper igen, eftersom det inte längre finns någon adress eller något nummer för digitala meddelanden. Vill du slippa papper, så välj digitala meddelanden på nytt.",
			"You will get letters on paper again, as there is no address or number left for digital notifications. If you do not want paper, choose digital notifications again."}},
	}
}
