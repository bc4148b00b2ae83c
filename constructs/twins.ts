/**
 * Two constructs whose objects would have the same names: the second would silently overwrite the first when applied.
 * @module
 */
import type { IConstruct } from 'constructs';

/** When a construct is the twin of another. */
export interface TwinRule {
  /** Whether the objects of that construct of the app have the names of this one's. */
  readonly isTwin: (other: IConstruct) => boolean;
  /** The sentence, given the first of the twins. */
  readonly problem: (first: IConstruct) => string;
}

/** Has synth fail at `construct` if it is not the first of its kind; so the first of several says nothing. */
export function refuseTwins(construct: IConstruct, { isTwin, problem }: TwinRule): void {
  construct.node.addValidation({
    validate: () => {
      const first = construct.node.root.node.findAll().find((other) => other === construct || isTwin(other));
      return first === undefined || first === construct ? [] : [problem(first)];
    },
  });
}
