// The class PeopleTrackingSDK. Every method resolves and never throws (B20).

import { json } from './page';
import { Code, Result, fail } from './results';
import { enqueue } from './sender';
import { chat, explicitly, initialised, view } from './session';

// The instances whose init was called. All of them share the page's state.
const joined = new WeakSet<object>();

const requireText = (name: string, value: unknown): string => {
  if (typeof value !== 'string' || !value) throw name + ' must be a non-empty string';
  return json(value);
};

const requireObject = (name: string, value: unknown): string => {
  const text = json(value);
  if (text?.[0] !== '{') throw name + ' must be an object';
  return text;
};

// attempt makes a call. The arguments are read at once, because the page may
// change them afterwards. The page can make them throw anything, a proxy that
// throws again included.
async function attempt(allowed: unknown, code: Code, run: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await (allowed ? run() : fail(2015));
  } catch (thrown) {
    try {
      return fail(code, '' + thrown);
    } catch {
      return fail(code);
    }
  }
}

const may = (instance: object) => joined.has(instance) && initialised();

export class Sdk {
  init(apiKey: string): Promise<Result> {
    return attempt(1, 2020, () => {
      requireText('apiKey', apiKey);
      joined.add(this);
      return explicitly(apiKey);
    });
  }

  track(eventId: string, properties?: object): Promise<Result> {
    return attempt(may(this), 2016, () => {
      const rest = properties === undefined ? '' : ',"properties":' + requireObject('properties', properties);
      return enqueue('track', `{"eventId":${requireText('eventId', eventId)}${rest}}`, 2016);
    });
  }

  updatePerson(person: object): Promise<Result> {
    return attempt(may(this), 2017, () => enqueue('updatePerson', requireObject('person', person), 2017));
  }

  appendToList(attributeName: string, value: object): Promise<Result> {
    return attempt(may(this), 2019, () =>
      enqueue('appendToList', `{"attributeName":${requireText('attributeName', attributeName)},"value":${requireObject('value', value)}}`, 2019),
    );
  }

  page(): Promise<Result> {
    return attempt(may(this), 2020, view);
  }

  chat(state: string, token?: string): Promise<Result> {
    return attempt(may(this), 2020, () => {
      if (!/^(started|authenticated|ended)$/.test(state)) throw 'unknown state';
      if (token !== undefined) requireText('token', token);
      return state === 'authenticated' && !token ? fail(2018) : chat(state, token);
    });
  }
}
