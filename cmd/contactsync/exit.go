package main

// exitError ends the process with a code and without a message: what there is to say has been said.
type exitError struct{ code int }

func (exitError) Error() string { return "see above" }
