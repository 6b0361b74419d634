//! What a broker refused, and everything else that can go wrong with it.

use std::fmt;

use strongroom_plugin::{Error as Cause, ErrorCode};

/// What nearly every function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. It turns into the kit's error by `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The broker answered with an error code.
    Fault(Fault),
    /// The same, and asking again does not help here.
    Final(Fault),
    /// No answer came. `asked`: the request may have arrived.
    Lost { asked: bool },
    /// Everything else: an answer that cannot be one, a broken batch, a refusal of the host.
    Other,
}

impl Error {
    /// The broker's own error, where it answered with one.
    pub fn fault(&self) -> Option<Fault> {
        match self.kind {
            Kind::Fault(fault) | Kind::Final(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether the broker answered with this.
    pub fn is(&self, fault: Fault) -> bool {
        self.fault() == Some(fault)
    }

    /// The same, with what was being done in front.
    #[must_use]
    pub fn context(self, doing: impl fmt::Display) -> Self {
        Self { cause: self.cause.context(doing), ..self }
    }

    /// A fault with the broker's own words, where it has some.
    pub(crate) fn of(fault: Fault, words: Option<&str>) -> Self {
        let told = words.filter(|words| !words.is_empty()).map(|words| format!(" ({})", shown(words)));
        let message = format!("the broker answers {fault}{}", told.unwrap_or_default());
        let cause = Cause { retryable: fault.is_retriable(), ..Cause::new(fault.code(), message) };
        Self { kind: Kind::Fault(fault), cause }
    }

    /// An answer, a batch or a record that is not what it must be.
    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Cause::corrupt(message).into()
    }

    /// Something that the other end closed, or that timed out.
    pub(crate) fn lost(cause: Cause, asked: bool) -> Self {
        match cause.code {
            ErrorCode::Unavailable | ErrorCode::Io | ErrorCode::Timeout => {
                Self { kind: Kind::Lost { asked }, cause: cause.retryable() }
            }
            _ => cause.into(),
        }
    }

    /// The same of what failed while a connection was being made: the request itself was not sent.
    pub(crate) fn before_asking(self) -> Self {
        match self.kind {
            Kind::Lost { .. } => Self { kind: Kind::Lost { asked: false }, ..self },
            _ => self,
        }
    }

    /// Whether trying again may help: where the broker says so or nothing was asked; where an answer was lost, or the
    /// broker cannot say what became of it, only if asking twice does no harm.
    pub(crate) fn may_pass(&self, harmless: bool) -> bool {
        match self.kind {
            Kind::Fault(fault) => fault.is_retriable() && (harmless || !fault.leaves_doubt()),
            Kind::Lost { asked } => harmless || !asked,
            Kind::Final(_) | Kind::Other => false,
        }
    }

    /// The same of a topic that is not there, where that is no news of a moment: it was to be deleted.
    pub(crate) fn for_good(self) -> Self {
        match self.kind {
            Kind::Fault(fault @ Fault::UnknownTopicOrPartition) => Self { kind: Kind::Final(fault), ..self },
            _ => self,
        }
    }

    /// Records whose end did not come, whatever the host calls it: a part of a stream that ends too early is `corrupt` to it.
    pub(crate) fn cut_off(cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        match cause.code {
            ErrorCode::Corrupt => Self::lost(Cause { code: ErrorCode::Unavailable, ..cause }, true),
            _ => Self::lost(cause, true),
        }
    }

    /// Whether no answer came, or only a part of one: the connection is gone, and the next request makes another. Records
    /// that ended in this are fetched again.
    pub fn is_lost(&self) -> bool {
        matches!(self.kind, Kind::Lost { .. })
    }
}

/// Words of a broker: no control characters, and not without end.
fn shown(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for Error {}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self { kind: Kind::Other, cause }
    }
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        error.cause
    }
}

macro_rules! faults {
    ($($name:ident $number:literal $text:literal $code:ident $($again:ident)?;)*) => {
        /// The error codes of the protocol that this client can meet (<https://kafka.apache.org/protocol#protocol_error_codes>).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $(#[doc = concat!("`", $text, "`")] $name,)*
            /// One that is not listed here.
            Unknown(i16),
        }

        impl Fault {
            /// The fault of an error code; none for 0.
            pub fn of(number: i16) -> Option<Self> {
                match number {
                    0 => None,
                    $($number => Some(Self::$name),)*
                    other => Some(Self::Unknown(other)),
                }
            }

            /// Its name in the protocol; of an unknown one `UNKNOWN`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown(_) => "UNKNOWN",
                }
            }

            fn code(self) -> ErrorCode {
                match self {
                    $(Self::$name => ErrorCode::$code,)*
                    Self::Unknown(_) => ErrorCode::Other,
                }
            }

            /// Whether the protocol calls it retriable.
            pub fn is_retriable(self) -> bool {
                match self {
                    $(Self::$name => faults!(@again $($again)?),)*
                    Self::Unknown(_) => false,
                }
            }
        }
    };
    (@again) => { false };
    (@again again) => { true };
}

faults! {
    UnknownServerError -1 "UNKNOWN_SERVER_ERROR" Other;
    OffsetOutOfRange 1 "OFFSET_OUT_OF_RANGE" NotFound;
    CorruptMessage 2 "CORRUPT_MESSAGE" Corrupt again;
    UnknownTopicOrPartition 3 "UNKNOWN_TOPIC_OR_PARTITION" NotFound again;
    InvalidFetchSize 4 "INVALID_FETCH_SIZE" Invalid;
    LeaderNotAvailable 5 "LEADER_NOT_AVAILABLE" Unavailable again;
    NotLeaderOrFollower 6 "NOT_LEADER_OR_FOLLOWER" Unavailable again;
    RequestTimedOut 7 "REQUEST_TIMED_OUT" Timeout again;
    BrokerNotAvailable 8 "BROKER_NOT_AVAILABLE" Unavailable;
    ReplicaNotAvailable 9 "REPLICA_NOT_AVAILABLE" Unavailable again;
    MessageTooLarge 10 "MESSAGE_TOO_LARGE" Limit;
    OffsetMetadataTooLarge 12 "OFFSET_METADATA_TOO_LARGE" Limit;
    NetworkException 13 "NETWORK_EXCEPTION" Unavailable again;
    CoordinatorLoadInProgress 14 "COORDINATOR_LOAD_IN_PROGRESS" Unavailable again;
    CoordinatorNotAvailable 15 "COORDINATOR_NOT_AVAILABLE" Unavailable again;
    NotCoordinator 16 "NOT_COORDINATOR" Unavailable again;
    InvalidTopic 17 "INVALID_TOPIC_EXCEPTION" Invalid;
    RecordListTooLarge 18 "RECORD_LIST_TOO_LARGE" Limit;
    NotEnoughReplicas 19 "NOT_ENOUGH_REPLICAS" Unavailable again;
    NotEnoughReplicasAfterAppend 20 "NOT_ENOUGH_REPLICAS_AFTER_APPEND" Unavailable again;
    InvalidRequiredAcks 21 "INVALID_REQUIRED_ACKS" Invalid;
    IllegalGeneration 22 "ILLEGAL_GENERATION" Invalid;
    InvalidGroupId 24 "INVALID_GROUP_ID" Invalid;
    UnknownMemberId 25 "UNKNOWN_MEMBER_ID" Denied;
    RebalanceInProgress 27 "REBALANCE_IN_PROGRESS" Denied;
    TopicAuthorizationFailed 29 "TOPIC_AUTHORIZATION_FAILED" Denied;
    GroupAuthorizationFailed 30 "GROUP_AUTHORIZATION_FAILED" Denied;
    ClusterAuthorizationFailed 31 "CLUSTER_AUTHORIZATION_FAILED" Denied;
    InvalidTimestamp 32 "INVALID_TIMESTAMP" Invalid;
    UnsupportedSaslMechanism 33 "UNSUPPORTED_SASL_MECHANISM" Unsupported;
    IllegalSaslState 34 "ILLEGAL_SASL_STATE" Denied;
    UnsupportedVersion 35 "UNSUPPORTED_VERSION" Unsupported;
    TopicAlreadyExists 36 "TOPIC_ALREADY_EXISTS" Exists;
    InvalidPartitions 37 "INVALID_PARTITIONS" Invalid;
    InvalidReplicationFactor 38 "INVALID_REPLICATION_FACTOR" Invalid;
    InvalidReplicaAssignment 39 "INVALID_REPLICA_ASSIGNMENT" Invalid;
    InvalidConfig 40 "INVALID_CONFIG" Invalid;
    NotController 41 "NOT_CONTROLLER" Unavailable again;
    InvalidRequest 42 "INVALID_REQUEST" Invalid;
    UnsupportedForMessageFormat 43 "UNSUPPORTED_FOR_MESSAGE_FORMAT" Unsupported;
    PolicyViolation 44 "POLICY_VIOLATION" Denied;
    OutOfOrderSequenceNumber 45 "OUT_OF_ORDER_SEQUENCE_NUMBER" Invalid;
    DuplicateSequenceNumber 46 "DUPLICATE_SEQUENCE_NUMBER" Exists;
    InvalidProducerEpoch 47 "INVALID_PRODUCER_EPOCH" Denied;
    InvalidTransactionState 48 "INVALID_TXN_STATE" Invalid;
    ConcurrentTransactions 51 "CONCURRENT_TRANSACTIONS" Unavailable again;
    SecurityDisabled 54 "SECURITY_DISABLED" Unsupported;
    StorageError 56 "KAFKA_STORAGE_ERROR" Unavailable again;
    SaslAuthenticationFailed 58 "SASL_AUTHENTICATION_FAILED" Denied;
    UnknownProducerId 59 "UNKNOWN_PRODUCER_ID" Invalid;
    NonEmptyGroup 68 "NON_EMPTY_GROUP" Denied;
    GroupIdNotFound 69 "GROUP_ID_NOT_FOUND" NotFound;
    FetchSessionIdNotFound 70 "FETCH_SESSION_ID_NOT_FOUND" Unavailable again;
    InvalidFetchSessionEpoch 71 "INVALID_FETCH_SESSION_EPOCH" Unavailable again;
    ListenerNotFound 72 "LISTENER_NOT_FOUND" Unavailable again;
    TopicDeletionDisabled 73 "TOPIC_DELETION_DISABLED" Denied;
    FencedLeaderEpoch 74 "FENCED_LEADER_EPOCH" Unavailable again;
    UnknownLeaderEpoch 75 "UNKNOWN_LEADER_EPOCH" Unavailable again;
    UnsupportedCompressionType 76 "UNSUPPORTED_COMPRESSION_TYPE" Unsupported;
    OffsetNotAvailable 78 "OFFSET_NOT_AVAILABLE" Unavailable again;
    InvalidRecord 87 "INVALID_RECORD" Invalid;
    UnstableOffsetCommit 88 "UNSTABLE_OFFSET_COMMIT" Unavailable again;
    ThrottlingQuotaExceeded 89 "THROTTLING_QUOTA_EXCEEDED" Unavailable again;
    ProducerFenced 90 "PRODUCER_FENCED" Denied;
    UnknownTopicId 100 "UNKNOWN_TOPIC_ID" NotFound again;
    FencedMemberEpoch 110 "FENCED_MEMBER_EPOCH" Denied;
    StaleMemberEpoch 113 "STALE_MEMBER_EPOCH" Denied;
}

impl Fault {
    /// Whether what was asked for may have been done all the same.
    fn leaves_doubt(self) -> bool {
        matches!(self, Self::RequestTimedOut | Self::NetworkException | Self::NotEnoughReplicasAfterAppend)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(number) => write!(f, "the error code {number}"),
            known => f.write_str(known.name()),
        }
    }
}
