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

const failure = (code: number, name: string, message: string): Result => ({
  success: false,
  error: { code, name: name + 'Error', message, origin: 'fe-snippet', platform: 'fe-snippet' },
});

// The methods with an error of their own. 2018 is not among them: only the
// server can tell.
export const errors: Record<string, [code: number, name: string, text?: string]> = {
  track: [2016, 'SdkTrack'],
  updatePerson: [2017, 'PeopleUpdate'],
  appendToList: [2019, 'AppendToList'],
};

// fail makes the answer for a fault found in the page, by the method called.
export const fail = (method: string, cause: unknown): Result => {
  const [code, name, text = `Error when calling ${method}()`] = errors[method] || [2020, 'PersonState', 'Person synchronization failed'];
  return failure(code, name, `${text}. Cause: ${cause}`);
};

export const notInitialized = failure(2015, 'NotInitializedPeopleTracking', 'People tracking SDK is not initialized. Call init() first');
export const initRequired = failure(4001, 'InitRequired', 'Live Chat is not initialized');

// warn makes the answer of a call that succeeds with a warning (B27).
export const warn = (code: string): Result => ({
  success: true,
  data: { warnings: [{ code, message: code }] },
});
