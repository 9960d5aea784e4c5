/** A refusal of the STS: status, code and message, sent as JSON. */
export class StsError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'StsError'
    this.status = status
    this.code = code
  }
}

export function missingParameter(name: string): StsError {
  return new StsError(400, `MissingParameter.${name}`, `${name} is mandatory for this action.`)
}

export function wronglyFormed(name: string): StsError {
  return new StsError(400, `InvalidParameter.${name}`, `The parameter ${name} is wrongly formed.`)
}
