import { startUploadBench, type UploadBench } from '../sdk/upload-bench.ts'
import { type BrowserAppOptions, browserAppOptions, type SdkPage, startSdkPage } from '../support/sdk-page.ts'
import { type HttpFront, startHttpFront } from './http-front.ts'

export interface FrontBenchOptions extends Partial<BrowserAppOptions> {
  /** The page's Content-Security-Policy, from the URLs of server and OSS. */
  csp?: (urls: { server: string; oss: string }) => string
}

/** A page, and server and OSS behind a front each, through which everything the page sends them passes. */
export interface FrontBench {
  sdkPage: SdkPage
  bench: UploadBench
  server: HttpFront
  oss: HttpFront
  close(): Promise<void>
}

/** Where everything is has to be known before the page gets its policy, and the page's origin before the server starts: hence the fronts. */
export async function startFrontBench({ csp, ...options }: FrontBenchOptions = {}): Promise<FrontBench> {
  const server = await startHttpFront()
  const oss = await startHttpFront()
  const sdkPage = await startSdkPage(csp ? { csp: csp({ server: server.url, oss: oss.url }) } : {})
  const bench = await startUploadBench({
    ...browserAppOptions({ origins: [sdkPage.origin], ...options }),
    config(config) {
      oss.setPort(portOf(config.oss.publicEndpoint))
      const behindFront = { ...config, oss: { ...config.oss, publicEndpoint: oss.url } }
      return options.config?.(behindFront) ?? behindFront
    },
  })
  server.setPort(portOf(bench.app.url))
  return {
    sdkPage,
    bench,
    server,
    oss,
    async close() {
      await bench.close()
      await sdkPage.close()
      await server.close()
      await oss.close()
    },
  }
}

export function portOf(url: string): number {
  return Number(new URL(url).port)
}
