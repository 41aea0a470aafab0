// Command people measures, on a real clock and a real disk, whether sessions
// end when their time comes while events go on arriving, and whether merging
// and selecting people cost the same however many of them are stored.
//
//	go run ./bench/people                                             a small run, about a minute
//	go run ./bench/people -part ends -sessions 100000 -rate 1000      100,000 sessions that end within a minute
//	go run ./bench/people -part ends -sessions 100000 -rate 0 -down   100,000 sessions that are overdue at a start
//	go run ./bench/people -part size -people 1000000                  10 people beside a million
//
// What it found is in docs/performance.md.
package main
