/**
 * What every step of the end-to-end tests has in hand.
 * @module
 */
import type { Kubectl } from '../../scripts/cluster/kubectl.ts';

export { SYSTEM } from '../../scripts/cluster/installation.ts';

/** The cluster under test. */
export interface Context {
  readonly kubectl: Kubectl;
  /** Whether the API server has pod certificates, so that `auto` delivery is native. */
  readonly native: boolean;
  /** Whether the cluster is a node that this run brought up. */
  readonly ownNode: boolean;
  /** Whether steps run that wait for a quarter of an hour. */
  readonly long: boolean;
  /** A command in a network that reaches nodes and Services' node ports. */
  readonly inNetwork: (argv: readonly string[]) => string[];
  /** A folder for the files of this run. */
  readonly scratch: string;
  /** Program `step`. */
  readonly step: string;
  /** Shows a line, of something that is measured and not asserted. */
  readonly print: (line: string) => void;
  /** Ends kubelet and starts it again. Absent: the node is not ours. */
  readonly restartKubelet?: () => Promise<void>;
  /** Brings the images of a docker-archive to the node. Absent: the node is not ours. */
  readonly importImages?: (file: string) => Promise<void>;
}

/** One promise, kept or not. */
export interface Step {
  /** Number of the part of the tutorial, then of the step in it: `4.2`. */
  readonly id: string;
  /** The promise, as a sentence. */
  readonly name: string;
  /** Later steps cannot work without it: runs with any selection, and its failure ends the run. */
  readonly base?: boolean;
  /** Takes its time, and CI's is short: runs with `--long`, and where it is chosen. @default false */
  readonly long?: boolean;
  /** Ids of steps that it cannot do without: they run where it is chosen. @default - the base alone */
  readonly restsOn?: readonly string[];
  readonly run: () => Promise<void>;
  /** Ends what this step or those after it have started beside the cluster; when the run is over, however that comes. */
  readonly end?: () => Promise<void>;
}
