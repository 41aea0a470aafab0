// The class PeopleTrackingSDK. Every method resolves and never throws (B20).

import { json } from './page';
import { Code, Result, causeOf, fail } from './results';
import { moment } from './sender';
import { call, chat, explicitly, initialised, view } from './session';

// The instances whose init was called. All of them share the page's state.
const joined = new WeakSet<object>();

const requireText = (name: string, value: unknown): string => {
  if (typeof value !== 'string' || !value) throw name + ' must be a non-empty string';
  return value;
};

const requireObject = (name: string, value: unknown): string => {
  const text = json(value);
  if (!text || text[0] !== '{') throw name + ' must be an object';
  return text;
};

// attempt makes a call on an instance, after init where that is under way. The
// arguments are read at once, because the page may change them afterwards.
function attempt(instance: object, code: Code, prepare: () => () => Promise<Result>): Promise<Result> {
  const ready = joined.has(instance) && initialised();
  const refuse = () => Promise.resolve(fail(2015));
  if (!ready) return refuse();
  try {
    const run = prepare();
    return ready === true ? run() : ready.then((begun) => (begun ? run() : refuse()));
  } catch (thrown) {
    return Promise.resolve(fail(code, causeOf(thrown)));
  }
}

const send = (instance: object, code: Code, method: string, params: () => string) =>
  attempt(instance, code, () => {
    const text = params();
    const made = moment();
    return () => call(method, text, code, made);
  });

export class Sdk {
  init(apiKey: string): Promise<Result> {
    try {
      requireText('apiKey', apiKey);
      joined.add(this);
      return explicitly(apiKey);
    } catch (thrown) {
      return Promise.resolve(fail(2020, causeOf(thrown)));
    }
  }

  track(eventId: string, properties?: object): Promise<Result> {
    return send(this, 2016, 'track', () => {
      const id = json(requireText('eventId', eventId));
      return `{"eventId":${id}${properties === undefined ? '' : ',"properties":' + requireObject('properties', properties)}}`;
    });
  }

  updatePerson(person: object): Promise<Result> {
    return send(this, 2017, 'updatePerson', () => requireObject('the person', person));
  }

  appendToList(attributeName: string, value: object): Promise<Result> {
    return send(this, 2019, 'appendToList', () => {
      const name = json(requireText('attributeName', attributeName));
      return `{"attributeName":${name},"value":${requireObject('value', value)}}`;
    });
  }

  page(): Promise<Result> {
    return attempt(this, 2020, () => {
      const made = moment();
      return () => view(made);
    });
  }

  chat(state: string, token?: string): Promise<Result> {
    return attempt(this, 2020, () => {
      if (!['started', 'authenticated', 'ended'].includes(state)) throw 'state must be started, authenticated or ended';
      if (token !== undefined) requireText('token', token);
      if (state === 'authenticated' && !token) return () => Promise.resolve(fail(2018));
      const made = moment();
      return () => chat(state, token, made);
    });
  }
}
