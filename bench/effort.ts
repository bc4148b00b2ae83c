/**
 * How much is done: rounds, seconds, requests.
 * @module
 */

/** How much of what is usual. */
export type Effort = (usual: number) => number;

/** What figures are made of. */
export const WHOLE: Effort = (usual) => usual;

/** A hundredth: whether everything still runs. The figures say nothing. */
export const GLANCE: Effort = (usual) => Math.ceil(usual / 100);
