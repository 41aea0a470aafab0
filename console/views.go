package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"unicode"
	"unicode/utf8"
)

//go:embed templates
var templateFiles embed.FS

// views are the parsed pages.
type views struct {
	list, person, erase, live, problem *template.Template
}

func parseViews() (views, error) {
	shared, err := template.New("layout.html").Funcs(template.FuncMap{"short": short, "sentence": sentence}).
		ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return views{}, fmt.Errorf("console: parse templates: %w", err)
	}
	var parsed views
	for name, page := range map[string]**template.Template{
		"list.html": &parsed.list, "person.html": &parsed.person, "erase.html": &parsed.erase, "live.html": &parsed.live, "problem.html": &parsed.problem,
	} {
		clone, err := shared.Clone()
		if err == nil {
			*page, err = clone.ParseFS(templateFiles, "templates/"+name)
		}
		if err != nil {
			return views{}, fmt.Errorf("console: parse template %s: %w", name, err)
		}
	}
	return parsed, nil
}

// sentence makes a message of an error one.
func sentence(message string) string {
	first, size := utf8.DecodeRuneInString(message)
	return string(unicode.ToUpper(first)) + message[size:] + "."
}

// write renders a page as a whole before the first byte of it is sent.
func (views) write(w http.ResponseWriter, status int, page *template.Template, view any) error {
	var body bytes.Buffer
	if err := page.Execute(&body, view); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	// no-transform: what puts scripts into the pages of a site would have those
	// of its console tracked as well, whose titles are names of people.
	w.Header().Set("Cache-Control", "no-store, no-transform")
	return write(w, status, "text/html; charset=utf-8", body.Bytes())
}

// frame is what every page has around its content.
type frame struct {
	Title  string
	Base   string // ends in "/"
	User   string // "" for an API key and for nobody
	Search string // in the search field
	Zone   string // that times are written in
	Now    string // the server's, so that a wrong clock of the reader shows no wrong age
	Live   bool   // the live view itself
	Plain  bool   // a reader who may not load the assets
	CSS    string
	JS     string
	Icon   string
}

func (h *handler) frame(r *http.Request, c clock, title string) frame {
	base := h.basePath(r)
	return frame{
		Title: title, Base: base, User: callerOf(r.Context()).user, Zone: c.zone.String(), Now: c.moment(c.now, "").ISO,
		CSS: base + "assets/" + h.assets.CSS, JS: base + "assets/" + h.assets.JS, Icon: base + "assets/" + h.assets.Icon,
	}
}
