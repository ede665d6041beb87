package mockregister

import (
	"context"
	"errors"
	"log/slog"

	"contactsync/contracts/rivta"

	"github.com/jackc/pgx/v5/pgconn"
)

// observe writes the one line each call gets. It holds nothing that the caller wrote.
func (r *Register) observe(ctx context.Context, x rivta.Exchange) {
	outcome, blame := judge(x)
	level := slog.LevelInfo
	if blame == "us" {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("operation", x.Operation.Name),
		slog.String("caller", x.Caller.HSAID),
		slog.String("correlation_id", x.Caller.CorrelationID),
		slog.String("outcome", outcome),
		slog.String("blame", blame),
		slog.Duration("duration", x.Duration),
	}
	if x.Fault != nil {
		attrs = append(attrs, slog.String("log_id", x.Fault.LogID))
	}
	if blame == "us" {
		attrs = append(attrs, slog.String("cause", causeText(x.Cause)))
	}
	r.log.LogAttrs(ctx, level, "register call", attrs...)
}

// judge names what came of a call and who must change something: none, client or us.
func judge(x rivta.Exchange) (outcome, blame string) {
	fault := x.Fault
	switch {
	case fault == nil && (x.Outcome == "ok" || x.Outcome == "unknown"):
		return x.Outcome, "none"
	case fault == nil:
		return x.Outcome, "client"
	case fault.VP != "":
		return fault.VP, "client"
	case fault.Code != rivta.FaultServer:
		return "fault_" + string(fault.Code), "client"
	case errors.Is(x.Cause, context.Canceled):
		return "caller_left", "client"
	}
	return "fault_" + string(fault.Code), "us"
}

// causeText is an error without personal data: PostgreSQL's own messages may quote values, their codes do not.
func causeText(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "SQLSTATE " + pg.Code
	}
	if err == nil {
		return ""
	}
	return err.Error()
}
