// Command scale measures what reading costs when there is much to read.
//
// It fills a store through the product's own service, as if the people had come
// over the last 300 days, closes it, opens it again, and then reads as the
// console does. Every person came once as a visitor, did ten things, started a
// chat and left name, e-mail and a tag; visitors did ten things and went. All
// but the last few hundred sessions are over.
//
//	go run ./bench/scale                                        # small: 20,000 people, seconds
//	go run ./bench/scale -people 300000 -visitors 700000        # 1,000,000 profiles with 10,000,000 events
//	go run ./bench/scale -check                                 # and how long it takes to check all of it
//
// The store is made in a temporary directory (-dir) and removed afterwards. It
// was just written, so that its files are in the system's cache: what a cold
// disk takes is not measured.
//
// It needs Linux: memory is read as this kernel gives it.
package main
