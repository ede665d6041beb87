package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// refuseEmptyData judges --data of every command that has it: an empty one comes from a shell variable that was never set, and
// would quietly mean "no folder".
func refuseEmptyData(c *cobra.Command, _ []string) error {
	data := c.Flags().Lookup("data")
	if data == nil || !data.Changed || data.Value.String() != "" {
		return nil
	}
	return usageError{errors.New("--data is empty: name a folder (is the variable set?)")}
}
