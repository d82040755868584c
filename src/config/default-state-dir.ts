/** Where a configuration says nothing of it: beside the configuration. */
export const DEFAULT_STATE_DIR = './var';
