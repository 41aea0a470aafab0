package console

import "time"

func nowAtTest() time.Time { return testNow }
