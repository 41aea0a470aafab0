package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// statements are the SQL texts for one table. They avoid whatever is only
// PostgreSQL's own, so that databases that speak its protocol run the same.
type statements struct {
	table                    string
	probe                    string
	missing                  map[string][]string // by the code of probe's error: what makes good
	get                      string
	upsert, update, delete   string
	lockAbsent, lockPresent  string
	begin, beginRead, commit string
	tidy                     string
}

func newStatements(name string) statements {
	parts := strings.Split(name, ".")
	table := pgx.Identifier(parts).Sanitize()
	index := pgx.Identifier{parts[len(parts)-1] + "_gone"}.Sanitize()
	in := strings.NewReplacer("TABLE", table, "INDEX", index, "LIFE", fmt.Sprintf("interval '%d seconds'", int(tombstoneLife.Seconds())))
	makeIndex := in.Replace("create index if not exists INDEX on TABLE (gone) where gone is not null")
	return statements{
		table: table,
		probe: in.Replace("select k, v, gone from TABLE limit 0"),
		missing: map[string][]string{
			undefinedTable: {
				in.Replace("create table if not exists TABLE (k bytea primary key, v bytea not null, gone timestamptz) with (fillfactor = 80)"),
				makeIndex,
			},
			undefinedColumn: {in.Replace("alter table TABLE add column if not exists gone timestamptz"), makeIndex},
		},
		get: in.Replace("select k, v from TABLE where k = any($1)"),
		// A key that was absent, or was not read. Under repeatable read it is a
		// conflict if another transaction made the row since the snapshot.
		upsert: in.Replace("insert into TABLE (k, v) select * from unnest($1::bytea[], $2::bytea[]) on conflict (k) do update set v = excluded.v, gone = null"),
		// A key that was present: it is a conflict if another transaction
		// changed the row. An upsert would make a deleted row anew.
		update: in.Replace("update TABLE as t set v = u.v, gone = null from unnest($1::bytea[], $2::bytea[]) as u (k, v) where t.k = u.k"),
		// The row of a deleted key stays for a while, see tombstoneLife.
		delete: in.Replace("update TABLE set v = ''::bytea, gone = now() where k = any($1)"),
		// A lock writes, because FOR UPDATE protects no absent key, and two
		// transactions that only lock would not conflict. An absent key gets
		// the row of a deleted one.
		lockAbsent:  in.Replace("insert into TABLE as t (k, v, gone) select u.k, ''::bytea, now() from unnest($1::bytea[]) as u (k) on conflict (k) do update set v = t.v"),
		lockPresent: in.Replace("update TABLE set v = v where k = any($1)"),
		begin:       "begin isolation level repeatable read",
		beginRead:   "begin isolation level repeatable read read only",
		commit:      "commit",
		// The outer condition is judged again where a row was changed meanwhile.
		tidy: in.Replace("delete from TABLE where k in (select k from TABLE where gone < now() - LIFE limit $1) and gone < now() - LIFE and v = ''::bytea"),
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
