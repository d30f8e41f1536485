/** Calls back after some milliseconds; returns what cancels it. Given from outside: a test has a clock of its own. */
export type Later = (work: () => void, milliseconds: number) => () => void;
