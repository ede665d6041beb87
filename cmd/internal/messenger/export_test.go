package messenger

import "context"

// Holds tells whether our partitions may stay as they were assigned.
func (m *Messenger) Holds(ctx context.Context) error { return m.holds(ctx, nil) }

// TakenOverUnder has the server seem to have been in another run when the partitions were taken over.
func (m *Messenger) TakenOverUnder(run string) { m.place.begin(run, nil) }
