package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed schema.sql
var schemaSQL string

// schemaVersion is the version that schema.sql makes.
const schemaVersion = 1

// undefinedTable is PostgreSQL's code for a table that is not there:
// https://www.postgresql.org/docs/15/errcodes-appendix.html
const undefinedTable = "42P01"

// prepare makes the schema where it is missing, one node at a time, and refuses one of another version.
func prepare(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", lockKey(schema, "schema")); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "create schema if not exists "+pgx.Identifier{schema}.Sanitize()); err != nil {
			return err
		}
		var made bool
		if err := tx.QueryRow(ctx, "select to_regclass($1) is not null", pgx.Identifier{schema, "meta"}.Sanitize()).Scan(&made); err != nil {
			return err
		}
		if !made {
			_, err := tx.Exec(ctx, schemaSQL, pgx.QueryExecModeSimpleProtocol)
			return err
		}
		return checkVersion(ctx, tx, schema)
	})
}

func checkVersion(ctx context.Context, tx pgx.Tx, schema string) error {
	var version int
	err := tx.QueryRow(ctx, "select version from meta").Scan(&version)
	if wrong := (*pgconn.PgError)(nil); errors.As(err, &wrong) && wrong.Code == undefinedTable {
		return fmt.Errorf("schema %q is not one of Cirro's", schema)
	}
	if err == nil && version != schemaVersion {
		err = fmt.Errorf("schema %q has version %d; this version of Cirro knows %d", schema, version, schemaVersion)
	}
	return err
}
