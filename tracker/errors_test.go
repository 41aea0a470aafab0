package tracker

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/store"
)

func TestNewCallErrorWordForWord(t *testing.T) {
	tests := []struct {
		name    string
		code    int
		want    string
		message string
	}{
		{"ok/4001", CodeInitRequired, "InitRequiredError", "Live Chat is not initialized"},
		{"ok/2015", CodeNotInitialized, "NotInitializedPeopleTrackingError", "People tracking SDK is not initialized. Call init() first"},
		{"ok/2016", CodeTrack, "SdkTrackError", "Error when calling track(). Cause: the reason"},
		{"ok/2017", CodeUpdatePerson, "PeopleUpdateError", "Error when calling updatePerson(). Cause: the reason"},
		{"ok/2018", CodeMissingAuthorization, "MissingAuthorizationTokenError", "Missing authorization token. Make sure a registration exists."},
		{"ok/2019", CodeAppendToList, "AppendToListError", "Error when calling appendToList(). Cause: the reason"},
		{"ok/2020", CodePersonState, "PersonStateError", "Person synchronization failed. Cause: the reason"},
	}
	assert.Len(t, callErrors, len(tests))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := NewCallError(tt.code, "the reason")
			assert.Equal(t, &CallError{Code: tt.code, Name: tt.want, Message: tt.message}, got)
			assert.EqualError(t, got, tt.message)
		})
	}
	t.Run("fail/unknown code is 2020", func(t *testing.T) {
		assert.Equal(t, NewCallError(CodePersonState, "the reason"), NewCallError(7, "the reason"))
	})
}

func TestB34Unavailable(t *testing.T) {
	assert.True(t, Unavailable(fmt.Errorf("batch: %w", store.ErrUnavailable)))
	assert.True(t, Unavailable(fmt.Errorf("batch: %w", store.ErrClosed)))
	assert.False(t, Unavailable(fmt.Errorf("batch: %w", store.ErrTooLarge)), "the same request fails again")
	assert.False(t, Unavailable(context.Canceled))
	assert.False(t, Unavailable(nil))
}
