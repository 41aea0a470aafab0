// Types of the global class that the script of people tracking defines.
// Reference: docs/sdk.md.

/** The codes of the specification. */
type PeopleTrackingErrorCode = 2015 | 2016 | 2017 | 2018 | 2019 | 2020 | 4001;

interface PeopleTrackingError {
  code: PeopleTrackingErrorCode;
  /** For example `SdkTrackError`. */
  name: string;
  /** What happened, with the cause where the code has one. */
  message: string;
  /** Where the fault is: `fe-snippet` in the page, `people-tracking` on the server. */
  origin: string;
  /** Where it was reported: `fe-snippet`. */
  platform: string;
}

interface PeopleTrackingWarning {
  /** For example `ignored_property`. */
  code: string;
  message: string;
}

type PeopleTrackingResult =
  | { success: true; data: { warnings: PeopleTrackingWarning[] } | null }
  | { success: false; error: PeopleTrackingError };

/** A value of an event property or of a field of a list item. */
type PeopleTrackingValue = string | number | boolean | null;

interface PeopleTrackingPerson {
  address?: string | null;
  /** `YYYY-MM-DD` */
  birthDate?: string | null;
  city?: string | null;
  contactInformation?: {
    email?: Array<{ address: string }>;
    /** Digits with the country code, without a plus sign. */
    phone?: Array<{ number: string }>;
  } | null;
  country?: string | null;
  /** By the attribute's name. */
  customAttributes?: Record<string, unknown> | null;
  firstName?: string | null;
  gender?: string | null;
  lastName?: string | null;
  middleName?: string | null;
  preferredLanguage?: string | null;
  /** An address of a picture. */
  profilePicture?: string | null;
  tags?: string[] | null;
}

declare class PeopleTrackingSDK {
  /** Makes an SDK object. All objects of a page share its state. */
  constructor();
  /** Initialises the SDK. Waits at most 10 s for Live Chat. */
  init(apiKey: string): Promise<PeopleTrackingResult>;
  /** Tracks an event that is defined on the server. */
  track(eventId: string, properties?: Record<string, PeopleTrackingValue | object>): Promise<PeopleTrackingResult>;
  /** Updates the properties of a lead. */
  updatePerson(person: PeopleTrackingPerson): Promise<PeopleTrackingResult>;
  /** Appends an item to a custom attribute of type list of a lead. */
  appendToList(attributeName: string, value: object): Promise<PeopleTrackingResult>;
  /** Tracks a further page view of the same document. */
  page(): Promise<PeopleTrackingResult>;
  /** Reports the state of the Live Chat session. */
  chat(state: 'started' | 'ended', token?: string): Promise<PeopleTrackingResult>;
  /** Reports who is authenticated. The token is a Live Chat JWT. */
  chat(state: 'authenticated', token: string): Promise<PeopleTrackingResult>;
  /** Takes the visitor's decision; anything but `true` withdraws. Needs no `init`. */
  consent(granted: boolean): Promise<PeopleTrackingResult>;
}

interface Window {
  PeopleTrackingSDK: typeof PeopleTrackingSDK;
}
