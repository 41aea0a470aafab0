package postgres

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// statements are the SQL texts for one table. They avoid whatever is only
// PostgreSQL's own, so that databases that speak its protocol run the same.
type statements struct {
	table                    string
	probe, create            string
	get                      string
	upsert, update, delete   string
	lockAbsent, lockPresent  string
	begin, beginRead, commit string
}

func newStatements(name string) statements {
	table := pgx.Identifier(strings.Split(name, ".")).Sanitize()
	in := strings.NewReplacer("TABLE", table)
	return statements{
		table:  table,
		probe:  in.Replace("select k, v from TABLE limit 0"),
		create: in.Replace("create table if not exists TABLE (k bytea primary key, v bytea not null) with (fillfactor = 80)"),
		get:    in.Replace("select k, v from TABLE where k = any($1)"),
		// A key that was absent, or was not read. Under repeatable read it is a
		// conflict if another transaction made the row since the snapshot.
		upsert: in.Replace("insert into TABLE (k, v) select * from unnest($1::bytea[], $2::bytea[]) on conflict (k) do update set v = excluded.v"),
		// A key that was present: it is a conflict if another transaction
		// changed or deleted the row. An upsert would make a deleted row anew.
		update: in.Replace("update TABLE as t set v = u.v from unnest($1::bytea[], $2::bytea[]) as u (k, v) where t.k = u.k"),
		delete: in.Replace("delete from TABLE where k = any($1)"),
		// A lock writes, because FOR UPDATE protects no absent key, and two
		// transactions that only lock would not conflict. An absent key gets an
		// empty value, which is the same as absent.
		lockAbsent:  in.Replace("insert into TABLE as t (k, v) select u.k, ''::bytea from unnest($1::bytea[]) as u (k) on conflict (k) do update set v = t.v"),
		lockPresent: in.Replace("update TABLE set v = v where k = any($1)"),
		begin:       "begin isolation level repeatable read",
		beginRead:   "begin isolation level repeatable read read only",
		commit:      "commit",
	}
}

// scan is the text for the form of r; its arguments are From, To if there is
// one, and Limit.
func (s statements) scan(r store.Range) string {
	columns, bound, limit, order := "k, v", "", "$2", "k"
	if r.KeysOnly {
		columns = "k, null::bytea"
	}
	if r.To != nil {
		bound, limit = "and k < $2 ", "$3"
	}
	if r.Reverse {
		order = "k desc"
	}
	return "select " + columns + " from " + s.table + " where k >= $1 " + bound + "and v <> ''::bytea order by " + order + " limit " + limit
}

func scanArguments(r store.Range) []any {
	if r.To == nil {
		return []any{r.From, r.Limit}
	}
	return []any{r.From, r.To, r.Limit}
}
