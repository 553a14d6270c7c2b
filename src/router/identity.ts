/** What tells one client of the router from another: what BackendKeyData names and a cancel must name. */
export interface Identity {
  readonly processId: number;
  readonly secretKey: Buffer;
}
