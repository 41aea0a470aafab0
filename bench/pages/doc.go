// Command pages measures what people tracking costs on the way of a page.
//
// One process runs Caddy with sites that differ in one directive: plain is
// reverse_proxy alone, control is the same once more, ours has people_tracking
// in front of it. Upstream and clients live in a second process, so that
// neither's time is counted. Every round measures each case on each side, in
// changing order; what is reported are medians and quartiles of the ratios of
// one round. The control tells how far two equal sides are apart: a smaller
// difference means nothing.
//
//	go run ./bench/pages -rounds 40
//	go run ./bench/pages -rounds 20 -case 'page 10 KB' -cpuprofile cpu.prof
//
// It needs Linux: processor time and memory are read as this kernel gives them.
package main
