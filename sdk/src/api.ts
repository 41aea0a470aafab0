// The class PeopleTrackingSDK. Every method resolves and never throws (B20).

import { json } from './page';
import { Code, Result, fail } from './results';
import { enqueue } from './sender';
import { chat, explicit, explicitly, view } from './session';

// The instances whose init was called. All of them share the page's state.
const joined = new WeakSet<object>();

// checked returns the value as JSON, which begins with '"' or '{' as wanted.
const checked = (name: string, value: unknown, begin = '{'): string => {
  const text = json(value);
  if (text?.[0] !== begin) throw name + (begin === '{' ? ' must be an object' : ' must be a string');
  return text;
};

// attempt makes a call. The arguments are read at once, because the page may
// change them afterwards. The page can make them throw anything, a proxy that
// throws again included.
async function attempt(instance: object, code: Code, run: () => Result | Promise<Result>, always?: unknown): Promise<Result> {
  try {
    return await (always || (joined.has(instance) && explicit) ? run() : fail(2015));
  } catch (thrown) {
    try {
      return fail(code, '' + thrown);
    } catch {
      return fail(code);
    }
  }
}

export class Sdk {
  init(apiKey: string): Promise<Result> {
    const begin = () => {
      checked('apiKey', apiKey, '"');
      joined.add(this);
      return explicitly(apiKey);
    };
    return attempt(this, 2020, begin, 1);
  }

  track(eventId: string, properties?: object): Promise<Result> {
    return attempt(this, 2016, () => {
      const rest = properties === undefined ? '' : ',"properties":' + checked('properties', properties);
      return enqueue('track', `{"eventId":${checked('eventId', eventId, '"')}${rest}}`, 2016);
    });
  }

  updatePerson(person: object): Promise<Result> {
    return attempt(this, 2017, () => enqueue('updatePerson', checked('person', person), 2017));
  }

  appendToList(attributeName: string, value: object): Promise<Result> {
    return attempt(this, 2019, () =>
      enqueue('appendToList', `{"attributeName":${checked('attributeName', attributeName, '"')},"value":${checked('value', value)}}`, 2019),
    );
  }

  page(): Promise<Result> {
    return attempt(this, 2020, view);
  }

  chat(state: string, token?: string): Promise<Result> {
    return attempt(this, 2020, () => {
      if (!/^(started|authenticated|ended)$/.test(state)) throw 'no such state';
      if (state === 'authenticated' && !token) return fail(2018);
      if (token) checked('token', token, '"');
      return chat(state, token);
    });
  }
}
