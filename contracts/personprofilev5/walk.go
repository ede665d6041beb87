package personprofilev5

import (
	"contactsync/contracts/personv4"
	"contactsync/contracts/xsd"
)

func (x *PartialDate) Walk(w *xsd.Walker) {
	xsd.One(w, "format", &x.Format, xsd.Enumeration(core("DateTypeFormatType"), "YYYY", "YYYY-MM", "YYYY-MM-DD"))
	xsd.One(w, "value", &x.Value, xsd.Text(core("PartialDateValue"), 4, 10))
	w.Unknown(&x.Unknown)
}

func (x *Name) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "givenNameIndicator", &x.GivenNameIndicator, xsd.Integer(core("GivenNameIndicator"), 10, 99))
	xsd.Maybe(w, "givenName", &x.GivenName, string80())
	xsd.Maybe(w, "middleName", &x.MiddleName, string80())
	xsd.Maybe(w, "surname", &x.Surname, string80())
	xsd.Maybe(w, "notificationName", &x.NotificationName, string40())
	w.Unknown(&x.Unknown)
}

func (x *LinkedIdentity) Walk(w *xsd.Walker) {
	xsd.One(w, "referredPersonalIdentity", &x.ID, identity())
	xsd.One(w, "assuranceLevel", &x.AssuranceLevel, codedValue())
	xsd.One(w, "primaryIdentity", &x.Primary, xsd.Boolean())
	w.Unknown(&x.Unknown)
}

func (x *ReferredIdentity) Walk(w *xsd.Walker) {
	xsd.One(w, "referredPersonalIdentity", &x.ID, identity())
	xsd.Maybe(w, "referredPersonalIdentityStatus", &x.Status, xsd.String())
	w.Unknown(&x.Unknown)
}

func (x *Birth) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "dateOfBirth", &x.Date, partialDate())
	xsd.Maybe(w, "placeOfBirthSweden", &x.Sweden, parts[PlaceOfBirth]("PlaceOfBirthSwedenType"))
	xsd.Maybe(w, "birthAbroad", &x.Abroad, parts[BirthAbroad]("BirthAbroadType"))
	w.Unknown(&x.Unknown)
}

func (x *PlaceOfBirth) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "birthCountyCode", &x.CountyCode, string2())
	xsd.Maybe(w, "birthParish", &x.Parish, string40())
	w.Unknown(&x.Unknown)
}

func (x *BirthAbroad) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "placeOfBirthAbroad", &x.Place, string80())
	xsd.Maybe(w, "countryOfBirth", &x.Country, string40())
	w.Unknown(&x.Unknown)
}

func (x *Locality) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "populationRegistrationDate", &x.Date, partialDate())
	xsd.Maybe(w, "countyCode", &x.CountyCode, string2())
	xsd.Maybe(w, "municipalityCode", &x.MunicipalityCode, string2())
	xsd.Maybe(w, "parishCode", &x.ParishCode, string2())
	xsd.Maybe(w, "propertyDesignation", &x.PropertyDesignation, string40())
	xsd.Maybe(w, "fictitiousPropertyNumber", &x.FictitiousPropertyNumber, xsd.Integer(core("FictitiousPropertyNumber"), 0, 999))
	xsd.Maybe(w, "populationRegistrationType", &x.Type, codedValue())
	xsd.Maybe(w, "localRegistrationTime", &x.From, xsd.DateTime())
	xsd.Maybe(w, "localRegistrationEndTime", &x.To, xsd.DateTime())
	w.Unknown(&x.Unknown)
}

func (x *RegistrationRecord) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "syncronizationTime", &x.SynchronizationTime, xsd.DateTime()) // spelled so in the schema
	xsd.Maybe(w, "notificationCase", &x.Case, parts[NotificationCase]("NotificationCaseType"))
	xsd.Maybe(w, "historicalRecords", &x.History, parts[History]("HistoricalRecordsType"))
	w.Unknown(&x.Unknown)
}

func (x *NotificationCase) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "recordId", &x.RecordID, xsd.Text(core("RecordId"), 16, 16))
	xsd.Maybe(w, "notificationType", &x.Type, string40())
	xsd.Maybe(w, "modificationTime", &x.ModificationTime, xsd.DateTime())
	xsd.Maybe(w, "totalRecord", &x.TotalRecord, xsd.Boolean())
	xsd.Maybe(w, "notificationDate", &x.Date, partialDate())
	w.Unknown(&x.Unknown)
}

func (x *History) Walk(w *xsd.Walker) {
	xsd.Many(w, "populationRegistrationLocality", &x.Localities, locality())
	xsd.Maybe(w, "historicalAddress", &x.Address, address())
	w.Unknown(&x.Unknown)
}

func (x *Addresses) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "residentialAddress", &x.Residential, address())
	xsd.Maybe(w, "nationalKeys", &x.NationalKeys, parts[NationalKeys]("NationalKeysType"))
	xsd.Maybe(w, "district", &x.District, parts[District]("DistrictType"))
	xsd.Maybe(w, "specialPostalAddress", &x.Special, address())
	xsd.Maybe(w, "addressAbroad", &x.Abroad, parts[AddressAbroad]("AddressAbroadType"))
	xsd.Maybe(w, "givenAddress", &x.Given, address())
	xsd.Maybe(w, "UUID", &x.UUID, parts[PropertyUUIDs]("UUIDType"))
	w.Unknown(&x.Unknown)
}

const maxKey = 99_999_999_999_999

func (x *NationalKeys) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "propertyId", &x.PropertyID, upTo("PropertyId", 10))
	xsd.Maybe(w, "addressPlaceId", &x.AddressPlaceID, xsd.Integer(core("AddressPlaceId"), 0, maxKey))
	xsd.Maybe(w, "apartmentId", &x.ApartmentID, xsd.Integer(core("ApartmentId"), 0, maxKey))
	w.Unknown(&x.Unknown)
}

func (x *District) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "districtCode", &x.Code, upTo("DistrictCode", 999_999))
	w.Unknown(&x.Unknown)
}

func (x *AddressAbroad) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "postalAddress1", &x.PostalAddress1, string40())
	xsd.Maybe(w, "postalAddress2", &x.PostalAddress2, string40())
	xsd.Maybe(w, "postalAddress3", &x.PostalAddress3, string40())
	xsd.Maybe(w, "countryCode", &x.CountryCode, string40())
	xsd.Maybe(w, "addressAbroadDate", &x.Date, partialDate())
	xsd.Maybe(w, "votingDate", &x.VotingDate, partialDate())
	w.Unknown(&x.Unknown)
}

func (x *PropertyUUIDs) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "propertyId", &x.PropertyID, xsd.String())
	xsd.Maybe(w, "addressPlaceId", &x.AddressPlaceID, xsd.String())
	xsd.Maybe(w, "apartmentId", &x.ApartmentID, xsd.String())
	w.Unknown(&x.Unknown)
}

func (x *ConfirmedIdentity) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "typeOfIdentification", &x.Type, codedValue())
	xsd.Maybe(w, "identificationNumber", &x.Number, xsd.String())
	xsd.Maybe(w, "issuersOfId", &x.Issuer, xsd.String())
	xsd.Maybe(w, "validDatePeriod", &x.Valid, parts[personv4.Period]("DatePeriodType"))
	xsd.Many(w, "attachmentId", &x.Attachments, xsd.String())
	xsd.Maybe(w, "countryCode", &x.CountryCode, countryCode())
	w.Unknown(&x.Unknown)
}

func (x *AdministrativeInformation) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "categoryOfPerson", &x.Category, codedValue())
	xsd.Maybe(w, "accountCode", &x.AccountCode, codedValue())
	xsd.Maybe(w, "comment", &x.Comment, xsd.String())
	w.Unknown(&x.Unknown)
}

func (x *Deregistration) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "deregistrationReasonCode", &x.Reason, codedValue())
	xsd.Maybe(w, "deregistrationDate", &x.Date, partialDate())
	xsd.Maybe(w, "foundDeadAtDate", &x.FoundDead, partialDate())
	w.Unknown(&x.Unknown)
}

func (x *MaritalStatus) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "maritalStatusCode", &x.Code, codedValue())
	xsd.Maybe(w, "maritalStatusDate", &x.Date, partialDate())
	w.Unknown(&x.Unknown)
}

func (x *Immigration) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "immigrationDate", &x.Date, partialDate())
	xsd.Maybe(w, "rightOfResidence", &x.RightOfResidence, xsd.Boolean())
	xsd.Many(w, "immigrationIdentity", &x.Identities, parts[ForeignIdentity]("ImmigrationIdentityType"))
	w.Unknown(&x.Unknown)
}

func (x *ForeignIdentity) Walk(w *xsd.Walker) {
	xsd.One(w, "personalIdentityNumber", &x.Number, upTo("PersonalIdentityNumber", 64))
	xsd.One(w, "country", &x.Country, countryCode())
	w.Unknown(&x.Unknown)
}

func (x *Citizenship) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "citizenshipCountryCode", &x.Country, countryCode())
	xsd.Maybe(w, "citizenshipDate", &x.Date, partialDate())
	xsd.Maybe(w, "status", &x.Status, codedValue())
	w.Unknown(&x.Unknown)
}

func (x *Relation) Walk(w *xsd.Walker) {
	xsd.One(w, "relationshipId", &x.Other, parts[RelationID]("RelationshipIdType"))
	xsd.One(w, "relationshipType", &x.Type, codedValue())
	xsd.Maybe(w, "relationshipFromDate", &x.From, partialDate())
	xsd.Maybe(w, "relationshipToDate", &x.To, partialDate())
	xsd.Maybe(w, "name", &x.Name, parts[Name]("NameType"))
	xsd.Maybe(w, "deregistration", &x.Deregistration, deregistration())
	xsd.Maybe(w, "status", &x.Status, codedValue())
	w.Unknown(&x.Unknown)
}

func (x *RelationID) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "personalIdentity", &x.Person, identity())
	xsd.Maybe(w, "dateOfBirth", &x.Born, partialDate())
	w.Unknown(&x.Unknown)
}

func (x *CoordinationNumber) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "allocationDate", &x.Allocated, partialDate())
	xsd.Maybe(w, "preliminaryTransferDate", &x.PreliminaryTransfer, partialDate())
	xsd.Maybe(w, "renewalDate", &x.Renewal, partialDate())
	xsd.Maybe(w, "deceasedDate", &x.Deceased, partialDate())
	w.Unknown(&x.Unknown)
}

func (x *IdentityStatus) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "identityStatus", &x.Status, xsd.String())
	xsd.Maybe(w, "identityStatusDate", &x.Date, partialDate())
	xsd.Maybe(w, "identityStatusCause", &x.Cause, xsd.String())
	w.Unknown(&x.Unknown)
}

func (x *Attachment) Walk(w *xsd.Walker) {
	xsd.Maybe(w, "id", &x.ID, xsd.String())
	xsd.One(w, "mediaType", &x.MediaType, codedValue())
	xsd.Maybe(w, "value", &x.Value, xsd.Base64())
	xsd.Maybe(w, "reference", &x.Reference, xsd.AnyURI())
	w.Unknown(&x.Unknown)
}
