/// <reference path="./people-tracking-sdk.d.ts" />

/** What the script tag says where the server injects it. All are optional. */
export interface InstallOptions {
  /** Path of the collector, as configured with `base_path`. Default `/_people`. */
  base?: string;
  /** API key to initialise with when the page does not call `init` itself. */
  key?: string;
  /** `navigation` counts every change of the path as a page view. */
  views?: 'navigation';
  /** The kinds of chat signals to observe, with spaces between: `calls`, `messages`, `received`. Default: all. */
  signals?: string;
  /** Further origins of the widget's frame, with spaces between. */
  widgetOrigins?: string;
  /** `required`: nothing is stored or sent before consent. */
  consent?: 'required';
  /** The site's own cookie that gives consent, as `name=value`. */
  consentCookie?: string;
}

/**
 * Defines the global class, once, and returns it. The first call decides about
 * the options. On a server, where there is no document, it returns `undefined`.
 */
export function install(options?: InstallOptions): typeof PeopleTrackingSDK;
