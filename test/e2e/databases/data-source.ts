/**
 * The Secret by which the CA reaches its database.
 * @module
 */
import { DATA_SOURCE_PARAMETERS, type DatabaseServer } from '../../../scripts/cluster/databases.ts';
import { SYSTEM } from '../context.ts';

/** Name of the Secret. */
export const DATA_SOURCE_SECRET = 'ca-database';

/** The Secret, and the namespace that it is in. */
export function dataSourceObjects({ engine, dataSource }: DatabaseServer): object[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: DATA_SOURCE_SECRET, namespace: SYSTEM },
      stringData: { dataSource: `${dataSource}${DATA_SOURCE_PARAMETERS[engine]}` },
    },
  ];
}
