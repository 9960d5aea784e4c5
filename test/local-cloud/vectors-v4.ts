/* Known answers of signature V4: request in, canonical request, its SHA-256, signature out. Fixed clock, key, bucket and region. */

export const CLOCK = new Date('2025-01-15T08:30:00Z')
export const KEY = { accessKeyId: 'LTAI-example', accessKeySecret: 'yourAccessKeySecret-example' }
export const TOKEN = 'CAISexample/token+with=chars'

export interface PresignVector {
  name: string
  method: string
  expiresSeconds: number
  key: string
  query: Record<string, string>
  headers: Record<string, string>
  additionalHeaders: string[]
  token: string | null
  canonical: string[]
  canonicalSha256: string
  signature: string
  url: string
}

export interface HeaderVector {
  name: string
  method: string
  url: string
  bucket: string | null
  key: string | null
  query: Record<string, string | null>
  headers: Record<string, string>
  additionalHeaders: string[]
  token: string | null
  canonical: string[]
  canonicalSha256: string
  authorization: string
}

export const presignVectors: PresignVector[] = [
  {
    name: 'P1',
    method: 'PUT',
    expiresSeconds: 3600,
    key: 'uploads/video.bin',
    query: {
      partNumber: '1',
      uploadId: '0004B9895DBBB6EC98E36EXAMPLE0001',
    },
    headers: {},
    additionalHeaders: [],
    token: null,
    canonical: [
      'PUT',
      '/examplebucket/uploads/video.bin',
      'partNumber=1&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=3600&x-oss-signature-version=OSS4-HMAC-SHA256',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: '6ad0982a8d65fec4bf315e1e9eaa7b5fefa9fca3c3cc8b45c25e9e689cb2d3e2',
    signature: '0c8534ca43491f4746f325508e3b064a7db218ead8871d1026d03fa4b5379dcd',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/uploads/video.bin?partNumber=1&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=3600&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-signature=0c8534ca43491f4746f325508e3b064a7db218ead8871d1026d03fa4b5379dcd',
  },
  {
    name: 'P2',
    method: 'PUT',
    expiresSeconds: 900,
    key: 'uploads/video.bin',
    query: {
      partNumber: '1',
      uploadId: '0004B9895DBBB6EC98E36EXAMPLE0001',
    },
    headers: {},
    additionalHeaders: [],
    token: 'CAISexample/token+with=chars',
    canonical: [
      'PUT',
      '/examplebucket/uploads/video.bin',
      'partNumber=1&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=900&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature-version=OSS4-HMAC-SHA256',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: 'c41a84b5c4f5b6a130065165e0b4caf164319bbe16112f1864be545c80879e54',
    signature: '51fa58a38c142357f4b70148368c9d8ff99788a0e21dbca03d0171ba6d2c6534',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/uploads/video.bin?partNumber=1&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=900&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature=51fa58a38c142357f4b70148368c9d8ff99788a0e21dbca03d0171ba6d2c6534',
  },
  {
    name: 'P3',
    method: 'PUT',
    expiresSeconds: 900,
    key: 'uploads/video.bin',
    query: {
      partNumber: '2',
      uploadId: '0004B9895DBBB6EC98E36EXAMPLE0001',
    },
    headers: {
      'Content-MD5': 'XrY7u+Ae7tCTyyK7j1rNww==',
      'Content-Type': 'application/octet-stream',
    },
    additionalHeaders: [],
    token: 'CAISexample/token+with=chars',
    canonical: [
      'PUT',
      '/examplebucket/uploads/video.bin',
      'partNumber=2&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=900&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature-version=OSS4-HMAC-SHA256',
      'content-md5:XrY7u+Ae7tCTyyK7j1rNww==',
      'content-type:application/octet-stream',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: '8be617f1595a05f7f8480dc9c5db4a22f8da233bfa08638593b6e29d45e661bc',
    signature: '628a69ea8a954df1eb29c16d402d74fb443ecbc0face245f572aed06cda0795c',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/uploads/video.bin?partNumber=2&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=900&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature=628a69ea8a954df1eb29c16d402d74fb443ecbc0face245f572aed06cda0795c',
  },
  {
    name: 'P4',
    method: 'PUT',
    expiresSeconds: 900,
    key: "目录/a b+c(1)!'*~.txt",
    query: {
      partNumber: '10000',
      uploadId: '0004B9895DBBB6EC98E36EXAMPLE0001',
    },
    headers: {},
    additionalHeaders: [],
    token: 'CAISexample/token+with=chars',
    canonical: [
      'PUT',
      '/examplebucket/%E7%9B%AE%E5%BD%95/a%20b%2Bc%281%29%21%27%2A~.txt',
      'partNumber=10000&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=900&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature-version=OSS4-HMAC-SHA256',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: 'afe12216e0d94d68e78fc7f154ec71503afea1587182521cbf1ec8892dd243d9',
    signature: '3840e22f5530b8e30256f8fe19921f4b7036300df9b1874b47c9c7c3ca6d9087',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/%E7%9B%AE%E5%BD%95/a%20b%2Bc(1)!%27*~.txt?partNumber=10000&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=900&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature=3840e22f5530b8e30256f8fe19921f4b7036300df9b1874b47c9c7c3ca6d9087',
  },
  {
    name: 'P5',
    method: 'PUT',
    expiresSeconds: 604800,
    key: 'uploads/video.bin',
    query: {
      partNumber: '3',
      uploadId: '0004B9895DBBB6EC98E36EXAMPLE0001',
    },
    headers: {
      host: 'examplebucket.oss-cn-hangzhou.aliyuncs.com',
      'content-length': '5242880',
    },
    additionalHeaders: ['Host', 'Content-Length'],
    token: 'CAISexample/token+with=chars',
    canonical: [
      'PUT',
      '/examplebucket/uploads/video.bin',
      'partNumber=3&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-additional-headers=content-length%3Bhost&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=604800&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature-version=OSS4-HMAC-SHA256',
      'content-length:5242880',
      'host:examplebucket.oss-cn-hangzhou.aliyuncs.com',
      '',
      'content-length;host',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: 'eb8984d7be9b0fce007169c89a4b65ad699ab164a1b142fc822e0905e2a05f30',
    signature: '6650bf307862aa85277bb9f11ae7f366125a01bf9803a913805e41f7f9272d34',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/uploads/video.bin?partNumber=3&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-additional-headers=content-length%3Bhost&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=604800&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature=6650bf307862aa85277bb9f11ae7f366125a01bf9803a913805e41f7f9272d34',
  },
  {
    name: 'P6',
    method: 'GET',
    expiresSeconds: 60,
    key: 'uploads/video.bin',
    query: {},
    headers: {},
    additionalHeaders: [],
    token: null,
    canonical: [
      'GET',
      '/examplebucket/uploads/video.bin',
      'x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=60&x-oss-signature-version=OSS4-HMAC-SHA256',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: '807ee26c58974a763a4cff42cb697737790c291dd46b3193a1570f9709fcba20',
    signature: 'ec039734c48914475c289934b364baf41a6d2e9aa0522c707959bd1ec56ee788',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/uploads/video.bin?x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=60&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-signature=ec039734c48914475c289934b364baf41a6d2e9aa0522c707959bd1ec56ee788',
  },
  {
    name: 'P7',
    method: 'POST',
    expiresSeconds: 60,
    key: 'uploads/video.bin',
    query: {
      uploadId: '0004B9895DBBB6EC98E36EXAMPLE0001',
    },
    headers: {
      'x-oss-forbid-overwrite': 'true',
    },
    additionalHeaders: [],
    token: 'CAISexample/token+with=chars',
    canonical: [
      'POST',
      '/examplebucket/uploads/video.bin',
      'uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=60&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature-version=OSS4-HMAC-SHA256',
      'x-oss-forbid-overwrite:true',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: '47bae6b90a8911ab2bcddcb2c64cfb08be26c082d3be166832b333fa503b442e',
    signature: '06e588b171cf5ce09ee15f71ac1cc6dce76780c5189125de90f0bd128bd17b8d',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/uploads/video.bin?uploadId=0004B9895DBBB6EC98E36EXAMPLE0001&x-oss-credential=LTAI-example%2F20250115%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20250115T083000Z&x-oss-expires=60&x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-security-token=CAISexample%2Ftoken%2Bwith%3Dchars&x-oss-signature=06e588b171cf5ce09ee15f71ac1cc6dce76780c5189125de90f0bd128bd17b8d',
  },
]

export const headerVectors: HeaderVector[] = [
  {
    name: 'H1',
    method: 'POST',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/uploads/video.bin?uploads=',
    bucket: 'examplebucket',
    key: 'uploads/video.bin',
    query: {
      uploads: null,
    },
    headers: {
      'x-oss-forbid-overwrite': 'true',
      'Content-Type': 'video/mp4',
    },
    additionalHeaders: [],
    token: 'CAISexample/token+with=chars',
    canonical: [
      'POST',
      '/examplebucket/uploads/video.bin',
      'uploads',
      'content-type:video/mp4',
      'x-oss-content-sha256:UNSIGNED-PAYLOAD',
      'x-oss-date:20250115T083000Z',
      'x-oss-forbid-overwrite:true',
      'x-oss-security-token:CAISexample/token+with=chars',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: '9dcef09b0ea0be9d62d36599dd982ad31b0a783937bec3673d3baf23767c84a0',
    authorization:
      'OSS4-HMAC-SHA256 Credential=LTAI-example/20250115/cn-hangzhou/oss/aliyun_v4_request,Signature=44b35b15cedd13690f49478806b430d11ec3c6e2a2f440ae45c6d3d1f5da9806',
  },
  {
    name: 'H2',
    method: 'GET',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/?max-uploads=1000&prefix=uploads%2F&key-marker=a%20b&encoding-type=url&uploads=',
    bucket: 'examplebucket',
    key: null,
    query: {
      'max-uploads': '1000',
      prefix: 'uploads/',
      'key-marker': 'a b',
      'encoding-type': 'url',
      uploads: null,
    },
    headers: {},
    additionalHeaders: [],
    token: null,
    canonical: [
      'GET',
      '/examplebucket/',
      'encoding-type=url&key-marker=a%20b&max-uploads=1000&prefix=uploads%2F&uploads',
      'x-oss-content-sha256:UNSIGNED-PAYLOAD',
      'x-oss-date:20250115T083000Z',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: '45e9c6343532832f4f9fe1e95b0020b3de7ebffbb47a134ab23afa244ae87142',
    authorization:
      'OSS4-HMAC-SHA256 Credential=LTAI-example/20250115/cn-hangzhou/oss/aliyun_v4_request,Signature=9ddc77a3e9335a89b1fe11f959a8a17aff83563d19ec8ff7ccefe49ce30ef457',
  },
  {
    name: 'H3',
    method: 'GET',
    url: 'https://oss-cn-hangzhou.aliyuncs.com/',
    bucket: null,
    key: null,
    query: {},
    headers: {},
    additionalHeaders: [],
    token: null,
    canonical: [
      'GET',
      '/',
      '',
      'x-oss-content-sha256:UNSIGNED-PAYLOAD',
      'x-oss-date:20250115T083000Z',
      '',
      '',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: '488c5fa0a3e979ff00a2bb85588d631d99be70d8cb9c8d1d5cb9835333f5f8bb',
    authorization:
      'OSS4-HMAC-SHA256 Credential=LTAI-example/20250115/cn-hangzhou/oss/aliyun_v4_request,Signature=498bd0f2c895bad16f053474a24eb9889545e2df75b888bec460468203053e86',
  },
  {
    name: 'H4',
    method: 'PUT',
    url: 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/%E7%9B%AE%E5%BD%95/a%20b%2Bc.txt?partNumber=7&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001',
    bucket: 'examplebucket',
    key: '目录/a b+c.txt',
    query: {
      partNumber: '7',
      uploadId: '0004B9895DBBB6EC98E36EXAMPLE0001',
    },
    headers: {
      'Content-MD5': 'XrY7u+Ae7tCTyyK7j1rNww==',
      'Content-Type': 'application/octet-stream',
      host: 'examplebucket.oss-cn-hangzhou.aliyuncs.com',
    },
    additionalHeaders: ['host'],
    token: 'CAISexample/token+with=chars',
    canonical: [
      'PUT',
      '/examplebucket/%E7%9B%AE%E5%BD%95/a%20b%2Bc.txt',
      'partNumber=7&uploadId=0004B9895DBBB6EC98E36EXAMPLE0001',
      'content-md5:XrY7u+Ae7tCTyyK7j1rNww==',
      'content-type:application/octet-stream',
      'host:examplebucket.oss-cn-hangzhou.aliyuncs.com',
      'x-oss-content-sha256:UNSIGNED-PAYLOAD',
      'x-oss-date:20250115T083000Z',
      'x-oss-security-token:CAISexample/token+with=chars',
      '',
      'host',
      'UNSIGNED-PAYLOAD',
    ],
    canonicalSha256: '21626dca7ee8bb524babd08edb3ba9f2c38d3bc12de381d5a9df072ea1e834ee',
    authorization:
      'OSS4-HMAC-SHA256 Credential=LTAI-example/20250115/cn-hangzhou/oss/aliyun_v4_request,AdditionalHeaders=host,Signature=d2f37bb0558cc6761926479cbc648fc58eb0c08fc4beb8e6fb45bf43cff06b77',
  },
]
