// Takes over the calls of pages that are gone. A lock named as their page says
// whether it lives, or another page has taken them over.

import { consented } from './consent';
import { Call, add, own, queue } from './queue';
import { send } from './sender';
import { each } from './storage';

// adopt takes what nobody holds, and keeps others from what is this page's own.
export const adopt = () => {
  const names = new Set([own]);
  if (consented()) each((key) => key[own.length] && names.add(key.slice(0, own.length)));
  for (const name of names)
    navigator.locks
      ?.request(
        name,
        { ifAvailable: true },
        (free) =>
          free &&
          new Promise((release) => {
            // A lock held by a sleeping page would evict it from the back/forward cache.
            addEventListener('pagehide', release);
            // In the order it was made: numbers are the one kind of key that an object sorts.
            const found: Record<string, Call> = {};
            each((key) => {
              if (!queue.some((call) => call.id === key)) found[key.slice(own.length + 1)] = JSON.parse(localStorage[key]);
            }, name);
            Object.values(found).forEach(add);
            send();
          }),
      )
      .catch(() => {});
};
