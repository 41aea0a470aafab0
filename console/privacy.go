package console

import (
	"fmt"
	"net/http"
)

// apiErase erases a person, who is gone for every reader before the answer.
func (h *handler) apiErase(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	if err := h.people.Erase(r.Context(), h.account, r.PathValue("id")); err != nil {
		return fmt.Errorf("erase person: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// download is an answer whose headers are written with its first byte, so that
// an error before it can still be answered as one.
type download struct {
	http.ResponseWriter
	begun bool
}

func (d *download) Write(b []byte) (int, error) {
	if !d.begun {
		d.begun = true
		header := d.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Content-Disposition", `attachment; filename="person.json"`)
		d.WriteHeader(http.StatusOK)
	}
	return d.ResponseWriter.Write(b)
}

// apiExport streams everything that is held of a person.
func (h *handler) apiExport(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	out := &download{ResponseWriter: w}
	err := h.people.Export(r.Context(), h.account, r.PathValue("id"), out)
	if err != nil && out.begun {
		// Whoever reads has to notice that this is not all: the connection breaks.
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		return fmt.Errorf("export person: %w", err)
	}
	return nil
}

// eraseView asks whether a person is to be erased.
type eraseView struct {
	frame
	Person profile
}

// erasePage asks for confirmation. It needs no script, and the form that it
// holds is taken from the console's own pages only, see caller.may.
func (h *handler) erasePage(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	clock := h.clockFor(r)
	person, err := h.people.Person(r.Context(), h.account, r.PathValue("id"))
	if err != nil {
		return fmt.Errorf("read person: %w", err)
	}
	view := eraseView{Person: clock.profile(person)}
	view.frame = h.frame(r, clock, view.Person.Name)
	return h.views.write(w, http.StatusOK, h.views.erase, view)
}

// eraseForm erases a person and leads back to the list.
func (h *handler) eraseForm(w http.ResponseWriter, r *http.Request) error {
	if err := noParams(r); err != nil {
		return err
	}
	if err := h.people.Erase(r.Context(), h.account, r.PathValue("id")); err != nil {
		return fmt.Errorf("erase person: %w", err)
	}
	http.Redirect(w, r, h.basePath(r), http.StatusSeeOther)
	return nil
}
