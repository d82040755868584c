/** What an origin is an origin of: the second part of its key, beside the application. */
export const applicationSubject = 'application';
export const endpointSubject = (endpoint: string): string => `endpoint ${endpoint}`;
export const aliasSubject = (alias: string): string => `alias ${alias}`;
export const certificateSubject = (alias: string): string => `certificate ${alias}`;
