//! A complete Linux program in a few hundred bytes: prints a line and exits. Statically linked, so a layer that holds it holds all it needs.

/// Where the program is loaded: any page-aligned address below the kernel's would do.
const BASE: u64 = 0x40_0000;
/// Size of the ELF header and its one program header, in bytes.
const HEADERS: u64 = 64 + 56;

/// A machine the program runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    Amd64,
    /// AArch64.
    Arm64,
}

impl Machine {
    /// The machine's name in an image index.
    #[must_use]
    pub const fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    const fn elf_number(self) -> u16 {
        match self {
            Self::Amd64 => 62,
            Self::Arm64 => 183,
        }
    }

    /// `write(1, text, length); exit(0)`, with the text right behind the code.
    fn code(self, length: u32) -> Vec<u8> {
        match self {
            Self::Amd64 => amd64(length),
            Self::Arm64 => arm64(length),
        }
    }
}

/// An executable for `machine` that prints `text`.
#[must_use]
pub fn program(machine: Machine, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let code = machine.code(length);
    let size = HEADERS + code.len() as u64 + u64::from(length);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    bytes.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let halves = |bytes: &mut Vec<u8>, values: &[u16]| {
        values
            .iter()
            .for_each(|value| bytes.extend(value.to_le_bytes()))
    };
    let words = |bytes: &mut Vec<u8>, values: &[u32]| {
        values
            .iter()
            .for_each(|value| bytes.extend(value.to_le_bytes()))
    };
    let longs = |bytes: &mut Vec<u8>, values: &[u64]| {
        values
            .iter()
            .for_each(|value| bytes.extend(value.to_le_bytes()))
    };
    // Executable, machine; version; entry, program headers, no section headers; flags; sizes and counts.
    halves(&mut bytes, &[2, machine.elf_number()]);
    words(&mut bytes, &[1]);
    longs(&mut bytes, &[BASE + HEADERS, 64, 0]);
    words(&mut bytes, &[0]);
    halves(&mut bytes, &[64, 56, 1, 64, 0, 0]);
    // One segment: the whole file, readable and executable.
    words(&mut bytes, &[1, 5]);
    longs(&mut bytes, &[0, BASE, BASE, size, size, 0x1000]);
    bytes.extend_from_slice(&code);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn amd64(length: u32) -> Vec<u8> {
    const REST: u8 = 0x0e;
    let mut code = vec![0xb8, 1, 0, 0, 0]; // mov eax, 1 (write)
    code.extend([0xbf, 1, 0, 0, 0]); // mov edi, 1
    code.extend([0x48, 0x8d, 0x35]); // lea rsi, [rip + text]
    code.extend(u32::from(REST + 4).to_le_bytes());
    code.push(0xba); // mov edx, length
    code.extend(length.to_le_bytes());
    code.extend([0x0f, 0x05]); // syscall
    code.extend([0xb8, 60, 0, 0, 0]); // mov eax, 60 (exit)
    code.extend([0x31, 0xff]); // xor edi, edi
    code.extend([0x0f, 0x05]); // syscall
    code.extend([0x0f, 0x0b]); // ud2, never reached
    code
}

fn arm64(length: u32) -> Vec<u8> {
    let low = length & 0xffff;
    let high = length >> 16;
    let instructions = [
        0xd280_0020,               // mov x0, #1
        0x1000_0101,               // adr x1, text (8 instructions ahead)
        0xd280_0002 | (low << 5),  // movz x2, #low
        0xf2a0_0002 | (high << 5), // movk x2, #high, lsl 16
        0xd280_0808,               // mov x8, #64 (write)
        0xd400_0001,               // svc 0
        0xd280_0000,               // mov x0, #0
        0xd280_0ba8,               // mov x8, #93 (exit)
    ];
    let last = 0xd400_0001_u32; // svc 0
    instructions
        .into_iter()
        .chain([last])
        .flat_map(u32::to_le_bytes)
        .collect()
}
