//! The values of labels: a series for each of them is there from the start.

/// The values of a label.
macro_rules! label {
    ($(#[$meta:meta])* $name:ident { $($(#[$vm:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vm])* $variant),+ }
        impl $name {
            pub const WORDS: &'static [&'static str] = &[$($word),+];
        }
    };
}

label! {
    /// What a client says.
    Message {
        Discover = "discover", Request = "request", Decline = "decline", Release = "release", Inform = "inform",
        /// BOOTP, and what only servers say.
        Other = "other",
    }
}

label! {
    /// What a client is told.
    Reply {
        Offer = "offer", Ack = "ack", Nak = "nak",
        /// Options alone, to INFORM.
        Informed = "informed",
        /// Beside another DHCP server.
        Proxy = "proxy",
    }
}

label! {
    /// Why a packet that was looked at is left unanswered: the rule that said so.
    Silence {
        Address = "address", Database = "database", FirstProgram = "first_program", Network = "network",
        Placement = "placement", Role = "role", Server = "server",
        /// It is no question: BOOTP, or without what its type must carry.
        Question = "question",
        /// DECLINE and RELEASE are never answered (RFC 2131 §4.3.3).
        NotDue = "not_due",
        /// The answer fits into no frame.
        TooLong = "too_long",
        Other = "other",
    }
}

impl Silence {
    /// By the name of the rule.
    pub fn of(rule: &str) -> Silence {
        match rule {
            "address" => Silence::Address,
            "database" => Silence::Database,
            "first program" => Silence::FirstProgram,
            "network" => Silence::Network,
            "placement" => Silence::Placement,
            "role" => Silence::Role,
            "server" => Silence::Server,
            _ => Silence::Other,
        }
    }
}

label! {
    /// Why a packet got no answer that it should perhaps have had.
    Dropped {
        Malformed = "malformed",
        /// Too many at once.
        Overload = "overload",
        NoNetwork = "no_network",
        /// A relay that its network does not name.
        StrangeRelay = "strange_relay",
        /// From the wire itself, at an address that answers relays alone.
        NotRelayed = "not_relayed",
        /// Relays in a ring.
        Ring = "ring",
        /// The database did not keep what would have been promised.
        NotWritten = "not_written",
    }
}

label! {
    /// How a transfer by TFTP ended.
    Transfer {
        Complete = "complete",
        /// By the client: UEFI asks for the size first, and gives up that transfer.
        Aborted = "aborted",
        TimedOut = "timed_out", Refused = "refused", Stopped = "stopped",
    }
}

label! {
    /// Who asks by HTTP, by the first word of the path.
    Route {
        Boot = "boot", Loader = "loader", Files = "files", Answer = "answer", Report = "report", Agent = "agent",
        Api = "api", Metrics = "metrics", Other = "other",
    }
}

impl Route {
    pub fn of(path: &str) -> Route {
        match path.trim_start_matches('/').split('/').next().unwrap_or_default() {
            "boot" => Route::Boot,
            "loader" => Route::Loader,
            "files" => Route::Files,
            "answer" => Route::Answer,
            "report" => Route::Report,
            "agent" => Route::Agent,
            "api" => Route::Api,
            "metrics" => Route::Metrics,
            _ => Route::Other,
        }
    }
}
