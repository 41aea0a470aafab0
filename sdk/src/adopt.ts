// Takes over the queues of pages that are gone. The lock of a queue's name says
// whether its page lives.

import { consented } from './consent';
import { own, queue } from './queue';
import { schedule } from './sender';
import { each } from './storage';

const lock = (name: string, options: LockOptions, run: (lock: Lock | null) => unknown) =>
  navigator.locks?.request(name, options, run).catch(() => {});

let release: (() => void) | void;

// hold keeps others from taking the queue while this page lives. A lock held
// by a sleeping page would evict it from the back/forward cache, so it is let
// go at pagehide.
export const hold = () => {
  if (release) return;
  release = () => {};
  lock(own, {}, () => new Promise<void>((done) => (release = done)));
};

export const letGo = () => (release = release?.());

// adopt takes what nobody holds.
export const adopt = () =>
  consented() &&
  each((key) =>
    lock(key, { ifAvailable: true }, (free) => {
      if (!free || key === own) return;
      queue.push(...JSON.parse(localStorage[key])); // what is none throws, and stays
      delete localStorage[key];
      schedule();
    }),
  );
