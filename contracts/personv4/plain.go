package personv4

import "strconv"

// appendPlain writes a record as MarshalRecord does, if it is plain: as the register makes most of them, without contact persons, unknown
// elements and texts that must be judged or escaped. False: it is not. A walk over the schema takes three times as long; a test holds
// both to the same bytes.
func appendPlain(dst []byte, r *Record) ([]byte, bool) {
	if len(r.ContactPersons)+len(r.Unknown) > 0 {
		return dst, false
	}
	p := plainWriter{dst: append(append(append(dst, `<contactInformationRecord xmlns="`...), Namespace...), `">`...)}
	p.timestamp("version", r.Version)
	p.open("personId")
	p.identity(r.Person)
	p.close("personId")
	for i := range r.Entries {
		p.entry(&r.Entries[i])
	}
	p.boolean("protectedPersonIndicator", &r.ProtectedPerson)
	p.boolean("protectedPopulationRecord", r.ProtectedPopulation)
	p.boolean("optoutPaperNotification", r.OptoutPaper)
	p.actor(r.Actor)
	p.close("contactInformationRecord")
	return p.dst, !p.odd
}

// plainWriter writes elements one after the other.
type plainWriter struct {
	dst []byte
	odd bool // something is not plain
}

func (p *plainWriter) open(name string) { p.dst = append(append(append(p.dst, '<'), name...), '>') }
func (p *plainWriter) close(name string) {
	p.dst = append(append(append(p.dst, "</"...), name...), '>')
}

// text is of at most so many characters.
func (p *plainWriter) text(name, text string, most int) {
	if text == "" {
		p.dst = append(append(append(p.dst, '<'), name...), "/>"...)
		return
	}
	if len(text) > most {
		p.odd = true
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' {
			p.odd = true
		}
	}
	p.open(name)
	p.dst = append(p.dst, text...)
	p.close(name)
}

func (p *plainWriter) maybe(name string, text *string, most int) {
	if text != nil {
		p.text(name, *text, most)
	}
}

func (p *plainWriter) timestamp(name, text string) {
	p.odd = p.odd || len(text) != 14
	p.text(name, text, 14)
}

func (p *plainWriter) boolean(name string, b *bool) {
	if b != nil {
		p.open(name)
		p.dst = strconv.AppendBool(p.dst, *b)
		p.close(name)
	}
}

func (p *plainWriter) identity(id ID) {
	p.odd = p.odd || id.Unknown != ""
	p.text("root", id.Root, unlimited)
	if id.Extension != "" {
		p.text("extension", id.Extension, unlimited)
	}
}

const (
	unlimited = 1 << 30 // the length of a message is bounded before
	codeMost  = 40
)

func (p *plainWriter) entry(e *Entry) {
	p.odd = p.odd || e.Rank != nil || e.Period != nil || len(e.Unknown) > 0
	p.open("contactInformation")
	p.text("contactType", e.Type, codeMost)
	p.maybe("use", e.Use, codeMost)
	p.maybe("value", e.Value, unlimited)
	p.maybe("comment", e.Comment, unlimited)
	p.boolean("digitalNotification", e.DigitalNotification)
	p.close("contactInformation")
}

func (p *plainWriter) actor(a *Actor) {
	if a == nil {
		return
	}
	p.odd = p.odd || a.Professional != nil || len(a.Unknown) > 0
	p.open("updatePersonContactInformationActor")
	p.open("id")
	p.identity(a.ID)
	p.close("id")
	if a.UpdateTime != "" {
		p.timestamp("updateTime", a.UpdateTime)
	}
	p.close("updatePersonContactInformationActor")
}
