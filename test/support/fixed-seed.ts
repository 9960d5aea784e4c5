import fc from 'fast-check'

// The same cases on every run and machine; a failure prints the seed. PROPERTY_SEED tries others.
fc.configureGlobal({ seed: Number(process.env.PROPERTY_SEED ?? 20_261_122) })
