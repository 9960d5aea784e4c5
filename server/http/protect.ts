import cors from 'cors'
import type { RequestHandler } from 'express'
import helmet from 'helmet'

/**
 * Security headers for JSON and for the documentation page, whose one stylesheet comes from this server and which runs no script.
 * HSTS is left to whoever terminates TLS: this app may be mounted in another, or stand behind a proxy, on a host it does not own.
 */
export function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // No cookie opens anything here, so an answer to no one in particular holds no secret. The SDK asks without CORS to find out whether it
    // is CORS that keeps a page away, or the network.
    crossOriginResourcePolicy: { policy: 'cross-origin' },
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  })
}

/** Lets pages of exactly these origins call the API. Bearer tokens only: no cookie is ever taken along. */
export function allowOrigins(origins: readonly string[]): RequestHandler {
  const answer = cors({
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'X-Request-Id'],
    // Date: part URLs end by the server's clock, which clients learn from it.
    exposedHeaders: ['X-Request-Id', 'Retry-After', 'Date'],
    maxAge: 600,
  })
  return (request, response, next) => {
    // The package takes every OPTIONS for a preflight; one that asks for no method is not.
    const isPlainOptions = request.method === 'OPTIONS' && !request.headers['access-control-request-method']
    if (isPlainOptions) next()
    else answer(request, response, next)
  }
}
