package postgres

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Codes of the SQL standard and of PostgreSQL.
const (
	undefinedTable       = "42P01"
	undefinedColumn      = "42703"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// code is the database's code of err, "" when it does not come from there.
func code(err error) string {
	if refused := new(pgconn.PgError); errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// readError is what a failed read, or anything before the commit, comes to:
// nothing was written.
func readError(err error) error {
	switch code(err) {
	case serializationFailure, deadlockDetected:
		return store.ErrConflict
	}
	return fmt.Errorf("%w: postgres: %w", store.ErrUnavailable, safe(err))
}

// commitError is what a failed commit comes to. When a statement of it was
// refused, the commit behind it was not carried out; a connection that broke,
// or a server that went down, tells nothing.
func commitError(err error) error {
	refused := new(pgconn.PgError)
	if errors.As(err, &refused) && severity(refused) == "ERROR" || pgconn.SafeToRetry(err) {
		return readError(err)
	}
	return fmt.Errorf("%w, %w: postgres: %w", store.ErrUnavailable, store.ErrUnknown, safe(err))
}

// severity is in English, which other databases may not tell apart from the
// server's own language.
func severity(refused *pgconn.PgError) string {
	return cmp.Or(refused.SeverityUnlocalized, refused.Severity)
}

// safe leaves out the details of the database's messages, which may show keys
// and values.
func safe(err error) error {
	if refused := new(pgconn.PgError); errors.As(err, &refused) {
		return fmt.Errorf("%s (%s)", refused.Message, refused.Code)
	}
	return err
}
