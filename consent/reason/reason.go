// Package reason names why a decision was refused, is parked, or ended as it did.
//
// A code is stable: it stands in outcomes, logs, metrics and pages, and is the same for the resident, support and the operator.
// Every code has a sentence in Swedish and English in List. Codes never carry a personal value.
package reason

import "errors"

// Code is a stable reason, such as "value_invalid:mobile_fixed_line".
type Code string

// Refusal is the error of every judgement on outside data: which field, and why. It never holds the value.
type Refusal struct {
	Field string // path in the event, such as "person.extension"; empty where the caller knows it
	Code  Code
}

func (r *Refusal) Error() string {
	if r.Field == "" {
		return string(r.Code)
	}
	return r.Field + ": " + string(r.Code)
}

// Refuse returns a Refusal without a field, for judgements that do not know where in an event the value stood.
func Refuse(code Code) error { return &Refusal{Code: code} }

// Of returns the code of a refusal, or "" for any other error.
func Of(err error) Code {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Code
	}
	return ""
}
