// Command ingest measures how fast calls become durable.
//
// Each side is a Caddy of its own process, so that processor time and memory
// are its own; this process sends the calls. ours is the product as it is
// configured by a Caddyfile. file is the same endpoint of the SDK (server,
// decoding, limits, redaction, answer) in front of a bare file: one writer
// appends what waits and calls fdatasync once, which is as much as the disk
// can do. control is file once more, and tells the noise. transactions is the
// product's tracker with a synced Badger transaction of its own for every
// request. plain is Caddy that answers without doing anything.
//
// Sides take turns in changing order, and what counts are the ratios within a
// round. After each turn all sides come to rest, so that nobody pays for the
// compactions of another; they count as processor time of whom they belong to.
//
//	go run ./bench/ingest -part rate -rounds 12
//	go run ./bench/ingest -part transactions,merge,memory
//	go run ./bench/ingest -part rate -rounds 2 -cases '1 call, 256' -cpuprofile ours.prof
//	PEOPLE_BENCH_MEMTABLE=16MiB go run ./bench/ingest -part rate,memory
//
// Browsers are known before anything is measured, 20,000 of them: a request
// stands for one of some thousand that are active, in turns, each for ten
// requests. Every request carries a page with its address and a cookie.
//
// It needs Linux: processor time and memory are read as this kernel gives them.
package main
