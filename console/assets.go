package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assets are the files of the pages under names that change with their content,
// so that a browser may keep them for good.
type assets struct {
	CSS, JS, Icon string // names below assets/
	files         map[string]asset
}

type asset struct {
	contentType string
	body        []byte
}

func loadAssets() (*assets, error) {
	loaded := &assets{files: map[string]asset{}}
	for _, file := range []struct {
		name, contentType string
		as                *string
	}{
		{"console.css", "text/css; charset=utf-8", &loaded.CSS},
		{"console.js", "text/javascript; charset=utf-8", &loaded.JS},
		{"icon.svg", "image/svg+xml", &loaded.Icon},
	} {
		body, err := assetFiles.ReadFile("assets/" + file.name)
		if err != nil {
			return nil, fmt.Errorf("console: read asset: %w", err)
		}
		hash := sha256.Sum256(body)
		ext := path.Ext(file.name)
		*file.as = strings.TrimSuffix(file.name, ext) + "-" + hex.EncodeToString(hash[:6]) + ext
		loaded.files[*file.as] = asset{file.contentType, body}
	}
	return loaded, nil
}

// serveAsset answers 404 for a name of another version: a page and its assets
// come from the same process, save for moments of an upgrade.
func (h *handler) serveAsset(w http.ResponseWriter, r *http.Request) error {
	asset, found := h.assets.files[r.PathValue("file")]
	if !found {
		return errNoRoute
	}
	// private: a shared cache would hand it to people who have not signed in.
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	return write(w, http.StatusOK, asset.contentType, asset.body)
}
