/**
 * How the CA says no: an HTTP status and a message, in step-ca's shape.
 * @module
 */

/** What a request is answered with when it is refused. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
  }
}

/** The request is not what it must be. */
export const badRequest = (message: string) => new Refusal(400, message);

/** Who asks did not prove that they may. */
export const unauthorized = (message: string) => new Refusal(401, message);

/** Who asks is known and may not have this. */
export const forbidden = (message: string) => new Refusal(403, message);
