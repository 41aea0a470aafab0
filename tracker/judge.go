package tracker

import "github.com/go-json-experiment/json/jsontext"

// judgement is what the schema says of a track call (B22): its event, or why
// there is none.
type judgement struct {
	definition string
	properties []byte // canonical JSON
	refusal    *CallError
}

// judge judges the track calls of a request, in their places. That needs no
// store and is the dearest part of them: it is done by the request itself, not
// inside the transaction, where all others wait for it.
func (ac AccountConfig) judge(calls []Call) []judgement {
	judged := make([]judgement, len(calls))
	for i := range calls {
		if calls[i].Method == MethodTrack {
			judged[i] = ac.judgeTrack(&calls[i])
		}
	}
	return judged
}

func (ac AccountConfig) judgeTrack(call *Call) judgement {
	var params struct {
		EventID    string         `json:"eventId"`
		Properties jsontext.Value `json:"properties"`
	}
	if err := strictly(call.Params, &params); err != nil {
		return judgement{refusal: NewCallError(CodeTrack, "eventId must be a string and properties an object")}
	}
	properties, err := ac.Schema.CheckEvent(params.EventID, []byte(params.Properties))
	if err != nil {
		return judgement{refusal: NewCallError(CodeTrack, err.Error())}
	}
	return judgement{definition: params.EventID, properties: properties}
}
