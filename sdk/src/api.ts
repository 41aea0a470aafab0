// The class PeopleTrackingSDK. Every method resolves and never throws (B20).

import { json } from './page';
import { Result, fail, notInitialized } from './results';
import { enqueue } from './sender';
import { chat, consent, explicit, explicitly, view } from './session';

// The instances whose init was called. All of them share the page's state.
const joined = new WeakSet<object>();

// attempt makes a call. The arguments are read at once, because the page may
// change them afterwards. The page can make them throw anything, a proxy that
// throws again included.
const attempt = async (instance: object, method: string, run: () => Result | Promise<Result>, always?: unknown): Promise<Result> => {
  try {
    return await (always || (joined.has(instance) && explicit) ? run() : notInitialized);
  } catch (thrown) {
    try {
      return fail(method, thrown);
    } catch {
      return fail(method, '');
    }
  }
};

// send makes a call whose parameters the server judges. What is no object it
// would refuse with the whole batch.
const send = (instance: object, method: string, params: unknown) =>
  attempt(instance, method, () => {
    const text = json(params);
    if (text?.[0] !== '{') throw 'not an object';
    return enqueue(method, text);
  });

export class Sdk {
  init(apiKey: string): Promise<Result> {
    const begin = () => {
      joined.add(this);
      return explicitly('' + apiKey);
    };
    return attempt(this, '', begin, 1);
  }

  track(eventId: string, properties?: object): Promise<Result> {
    return send(this, 'track', { eventId, properties });
  }

  updatePerson(person: object): Promise<Result> {
    return send(this, 'updatePerson', person);
  }

  appendToList(attributeName: string, value: object): Promise<Result> {
    return send(this, 'appendToList', { attributeName, value });
  }

  page(): Promise<Result> {
    return attempt(this, '', view);
  }

  chat(state: string, token?: string): Promise<Result> {
    return attempt(this, '', () => chat(state, token));
  }

  // consent needs no init: it says whether the automatic one may count.
  consent(granted: boolean): Promise<Result> {
    return attempt(this, '', () => consent(granted === true), 1);
  }
}
