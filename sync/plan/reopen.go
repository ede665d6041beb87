package plan

// Reopen makes the want due again that the decision m is behind: the register was found not to show what it was seen to show. False:
// the want has moved on meanwhile, or is due anyway.
func (s *State) Reopen(m Mark) bool {
	if w := s.Want(); w.Kind == Unasked || w.Mark() != m || s.Settled != m {
		return false
	}
	s.Settled = ""
	return true
}
