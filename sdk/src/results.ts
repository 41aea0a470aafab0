// What the methods answer: the envelope and the errors of the specification.

export interface PeopleTrackingError {
  code: number;
  name: string;
  message: string;
  origin: string;
  platform: string;
}

export interface Warnings {
  warnings: Array<{ code: string; message: string }>;
}

export type Result =
  | { success: true; data: Warnings | null }
  | { success: false; error: PeopleTrackingError };

const errors = {
  2015: ['NotInitializedPeopleTrackingError', 'People tracking SDK is not initialized. Call init() first'],
  2016: ['SdkTrackError', 'Error when calling track(). Cause: '],
  2017: ['PeopleUpdateError', 'Error when calling updatePerson(). Cause: '],
  2018: ['MissingAuthorizationTokenError', 'Missing authorization token. Make sure a registration exists.'],
  2019: ['AppendToListError', 'Error when calling appendToList(). Cause: '],
  2020: ['PersonStateError', 'Person synchronization failed. Cause: '],
  4001: ['InitRequiredError', 'Live Chat is not initialized'],
};

export type Code = keyof typeof errors;

// fail makes the answer for a fault found in the page. The cause completes the
// messages of 2016, 2017, 2019 and 2020.
export function fail(code: Code = 2020, cause = ''): Result {
  const [name, message] = errors[code];
  return {
    success: false,
    error: { code, name, message: message + cause, origin: 'fe-snippet', platform: 'fe-snippet' },
  };
}
