//! One call from the filter to its host: what it passed, and the filter's memory.

use crate::host::Host;
use wasmi::{Caller, Extern, Memory, Val};

/// The size of addresses and sizes in the filter's memory.
const WORD: usize = 4;

/// A call under way. Every argument is named by its place; a text is an address and, in the next place, a size.
pub struct Call<'a> {
    caller: Caller<'a, Host>,
    memory: Memory,
    arguments: Vec<u64>,
}

impl<'a> Call<'a> {
    /// Over the arguments of one call.
    pub fn new(caller: Caller<'a, Host>, arguments: &[Val]) -> Self {
        let Some(Extern::Memory(memory)) = caller.get_export("memory") else {
            panic!("the filter exports no memory");
        };
        let plain = |argument: &Val| match argument {
            Val::I32(number) => u64::from(number.cast_unsigned()),
            Val::I64(number) => number.cast_unsigned(),
            other => panic!("the filter passes {other:?}, which no host function takes"),
        };
        Self { caller, memory, arguments: arguments.iter().map(plain).collect() }
    }

    /// What the host knows.
    pub fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    /// An argument as it is.
    pub fn long(&self, place: usize) -> u64 {
        self.arguments[place]
    }

    /// An argument of 32 bits.
    pub fn number(&self, place: usize) -> u32 {
        u32::try_from(self.long(place)).expect("an argument of 32 bits")
    }

    fn address(&self, place: usize) -> usize {
        usize::try_from(self.long(place)).expect("an address")
    }

    /// The bytes that the filter passes at this and the next place.
    pub fn bytes(&mut self, place: usize) -> Vec<u8> {
        let (from, size) = (self.address(place), self.address(place + 1));
        self.host().spent.bytes += size as u64;
        self.memory.data(&self.caller)[from..from + size].to_vec()
    }

    /// The same as text.
    pub fn text(&mut self, place: usize) -> String {
        String::from_utf8(self.bytes(place)).expect("the filter passes UTF-8")
    }

    /// Writes to the address at this place.
    pub fn put(&mut self, place: usize, value: &[u8]) {
        let to = self.address(place);
        self.host().spent.bytes += value.len() as u64;
        self.memory.write(&mut self.caller, to, value).expect("an address in the filter's memory");
    }

    /// Gives bytes to the filter, in memory that it sets aside for them: their address and size are written where
    /// this and the next place say. As in Envoy, nothing is set aside for no bytes.
    pub fn give(&mut self, place: usize, value: &[u8]) {
        let size = u32::try_from(value.len()).expect("a size of 32 bits");
        let mut address = 0;
        if size > 0 {
            let Some(Extern::Func(allocate)) = self.caller.get_export("proxy_on_memory_allocate") else {
                panic!("the filter exports no allocator");
            };
            let allocate = allocate.typed::<u32, u32>(&self.caller).expect("an allocator");
            address = allocate.call(&mut self.caller, size).expect("the filter has room");
            self.memory.write(&mut self.caller, address as usize, value).expect("the room is there");
            self.host().spent.bytes += value.len() as u64;
        }
        for (place, word) in [(place, address), (place + 1, size)] {
            let to = self.address(place);
            let word: [u8; WORD] = word.to_le_bytes();
            self.memory.write(&mut self.caller, to, &word).expect("an address in the filter's memory");
        }
    }
}
