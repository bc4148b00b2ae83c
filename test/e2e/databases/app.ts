/**
 * The cdk8s app of `npm run e2e -- --databases`: three CAs on one database server.
 * `node app.ts postgresql|mysql`
 * @module
 */
import { App, Chart } from 'cdk8s';
import { AutocertWebhook, CaDatabase, StepCa } from '../../../constructs/index.ts';
import { DATA_SOURCE_SECRET } from './data-source.ts';

const options = { dataSourceSecret: DATA_SOURCE_SECRET, database: 'stepca' };
const database = process.argv[2] === 'mysql' ? CaDatabase.mysql(options) : CaDatabase.postgresql(options);

const app = new App();
const ca = new StepCa(new Chart(app, 'step-ca'), 'ca', { database, replicas: 3 });
new AutocertWebhook(new Chart(app, 'autocert'), 'autocert', { ca });
app.synth();
