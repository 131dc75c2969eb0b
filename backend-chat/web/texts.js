// SPDX-License-Identifier: MIT
// The page's words in English, Vietnamese and Korean.
import { browser } from './dom.js';

const LANGUAGES = ['en', 'vi', 'ko'];

const texts = {
	rooms: ['Rooms', 'Phòng', '방'],
	other_rooms: ['Other rooms', 'Phòng khác', '다른 방'],
	join_hint: ['Join or make a room', 'Vào hoặc tạo phòng', '방 참여 또는 만들기'],
	join: ['Join', 'Vào', '참여'],
	leave: ['Leave this room', 'Rời phòng này', '방 나가기'],
	members: ['Members', 'Thành viên', '참여자'],
	unnamed: ['{0} others have no name', '{0} người khác không có tên', '이름 없는 {0}명'],
	more_people: ['and {0} more', 'và {0} người nữa', '외 {0}명'],
	close: ['Close', 'Đóng', '닫기'],
	server: ['Server', 'Máy chủ', '서버'],
	instance: ['Server Instance', 'Máy chủ', '서버 인스턴스'],
	up: ['up', 'hoạt động', '정상'],
	down: ['down', 'ngừng', '중단'],
	off: ['off', 'tắt', '꺼짐'],
	clients: ['{0}: {1} clients', '{0}: {1} người dùng', '{0}: 접속 {1}명'],
	language: ['Language', 'Ngôn ngữ', '언어'],
	change_name: ['Change your name', 'Đổi tên', '이름 바꾸기'],
	your_name: ['Your name', 'Tên của bạn', '이름'],
	name_rule: ['Letters and digits of any script, and _ - .', 'Chữ và số của mọi ngôn ngữ, và _ - .', '모든 언어의 글자와 숫자, 그리고 _ - .'],
	as_guest: ['Stay a guest', 'Làm khách', '손님으로'],
	cancel: ['Cancel', 'Hủy', '취소'],
	ok: ['OK', 'Đồng ý', '확인'],
	message: ['Message', 'Tin nhắn', '메시지'],
	messages: ['Messages', 'Các tin nhắn', '메시지 목록'],
	say_in: ['Message to {0}', 'Nhắn tới {0}', '{0}에 메시지 보내기'],
	send: ['Send', 'Gửi', '보내기'],
	too_long: ['Too long by {0} bytes', 'Dài quá {0} byte', '{0}바이트 초과'],
	latest: ['Latest messages', 'Tin nhắn mới nhất', '최신 메시지로'],
	new_messages: ['{0} new', '{0} tin mới', '새 메시지 {0}개'],
	beginning: ['This is the beginning of {0}.', 'Đây là phần đầu của {0}.', '{0}의 시작입니다.'],
	gap: ['Messages are missing here.', 'Thiếu tin nhắn ở đây.', '여기에 빠진 메시지가 있습니다.'],
	gap_n: ['{0} messages are missing here.', 'Thiếu {0} tin nhắn ở đây.', '여기에 메시지 {0}개가 빠졌습니다.'],
	earlier: ['Earlier messages are missing.', 'Thiếu các tin nhắn trước đó.', '이전 메시지가 빠졌습니다.'],
	joined: ['{0} joined', '{0} đã vào', '{0} 님이 들어옴'],
	left: ['{0} left', '{0} đã rời', '{0} 님이 나감'],
	and_more: ['{0} and {1} more', '{0} và {1} người nữa', '{0} 외 {1}명'],
	renamed: ['{0} is now {1}', '{0} đổi tên thành {1}', '{0} → {1}'],
	topic_set: ['{0} set the topic: {1}', '{0} đặt chủ đề: {1}', '{0} 님이 주제를 정함: {1}'],
	topic_none: ['{0} took the topic away', '{0} đã xóa chủ đề', '{0} 님이 주제를 지움'],
	typing: ['{0} is typing …', '{0} đang nhập …', '{0} 님이 입력 중 …'],
	typing_many: ['Several people are typing …', 'Nhiều người đang nhập …', '여러 명이 입력 중 …'],
	connecting: ['Connecting …', 'Đang kết nối …', '연결 중 …'],
	reconnecting: ['Connection lost. Reconnecting', 'Mất kết nối. Đang kết nối lại', '연결이 끊겼습니다. 다시 연결'],
	full: ['The server is full. Trying again', 'Máy chủ đã đầy. Đang thử lại', '서버가 가득 찼습니다. 다시 시도'],
	in_s: [' in {0} s', ' sau {0} giây', ': {0}초 후'],
	offline: ['You are offline.', 'Bạn đang ngoại tuyến.', '오프라인 상태입니다.'],
	now: ['Now', 'Ngay', '지금'],
	taken_over: ['You are connected in another tab or device.', 'Bạn đang kết nối ở thẻ hoặc thiết bị khác.', '다른 탭이나 기기에서 접속 중입니다.'],
	you_left: ['You left the chat.', 'Bạn đã rời cuộc trò chuyện.', '채팅에서 나갔습니다.'],
	removed: ['An operator removed you.', 'Người quản trị đã đưa bạn ra.', '운영자가 내보냈습니다.'],
	connect: ['Connect here', 'Kết nối tại đây', '여기서 접속'],
	redis_down: ['Redis is down: messages reach only this instance until it is back.', 'Redis đang ngừng: tin nhắn chỉ tới máy chủ này cho đến khi Redis trở lại.', 'Redis 중단: 복구될 때까지 메시지가 이 인스턴스에만 전달됩니다.'],
	e2ee: ['This room is end-to-end encrypted; this page cannot read it.', 'Phòng này mã hóa đầu cuối; trang này không đọc được.', '종단간 암호화된 방이라 이 페이지에서 읽을 수 없습니다.'],
	sending: ['Sending', 'Đang gửi', '보내는 중'],
	sent: ['Sent', 'Đã gửi', '보냄'],
	failed: ['Not sent', 'Chưa gửi', '전송 실패'],
	again: ['Send again', 'Gửi lại', '다시 보내기'],
	discard: ['Discard', 'Bỏ', '삭제'],
	unverified: ['name not verified', 'tên chưa xác minh', '확인되지 않은 이름'],
	show_image: ['Show image', 'Hiện ảnh', '이미지 보기'],
	from_host: ['from {0}', 'từ {0}', '{0}에서'],
	open_file: ['Open file', 'Mở tệp', '파일 열기'],
	open_map: ['Open map', 'Mở bản đồ', '지도 열기'],
	open_audio: ['Open recording', 'Mở bản ghi âm', '녹음 열기'],
	no_image: ['The image cannot be loaded.', 'Không tải được ảnh.', '이미지를 불러올 수 없습니다.'],
	help: ['/join ROOM, /rooms, /who, /msg NICK text, /me text, /nick NAME, /topic [text], /history, /server, /quit. //x says /x.', '/join PHÒNG, /rooms, /who, /msg TÊN nội dung, /me nội dung, /nick TÊN, /topic [nội dung], /history, /server, /quit. //x gửi /x.', '/join 방, /rooms, /who, /msg 이름 내용, /me 내용, /nick 이름, /topic [내용], /history, /server, /quit. //x 는 /x 를 보냅니다.'],
	unknown: ['/{0} is not known, and was not said. /help lists what is.', 'Không có lệnh /{0}, nên chưa gửi. /help liệt kê các lệnh.', '/{0} 은(는) 없는 명령이라 보내지 않았습니다. /help 를 보세요.'],
	needs: ['Write {0}', 'Hãy viết {0}', '{0} 형식으로 쓰세요'],
	bad_room: ['A room has 1 to 64 letters, digits, _ - .', 'Tên phòng có 1 đến 64 chữ, số, _ - .', '방 이름은 글자, 숫자, _ - . 1~64자입니다.'],
	here: ['{0}: {1} here', '{0}: {1} người', '{0}: {1}명'],
	no_topic: ['{0} has no topic.', '{0} chưa có chủ đề.', '{0}에는 주제가 없습니다.'],
	is_here: ['In {0}: {1}', 'Trong {0}: {1}', '{0}: {1}'],
};

const wanted = [browser.get('language'), ...navigator.languages ?? [navigator.language]];

export const language = wanted.map(w => w?.slice(0, 2)).find(w => LANGUAGES.includes(w)) ?? 'en';

const column = LANGUAGES.indexOf(language);

export function t(key, ...values) {
	return texts[key][column].replace(/\{(\d)\}/g, (_, i) => values[i]);
}

// The words of index.html.
export function translate(root) {
	document.documentElement.lang = language;
	for (const node of root.querySelectorAll('[data-text]'))
		node.textContent = t(node.dataset.text);
	for (const node of root.querySelectorAll('[data-hint]'))
		node.placeholder = t(node.dataset.hint);
	for (const node of root.querySelectorAll('[data-label]')) {
		node.setAttribute('aria-label', t(node.dataset.label));
		if (node.tagName === 'BUTTON')
			node.title = t(node.dataset.label);
	}
}

// As the reader's country writes it.
export const locale = wanted.find(w => w?.startsWith(language)) ?? language;

const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
const date = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });

export const timeOf = ts => clock.format(ts);
export const dayOf = ts => date.format(ts);
export const momentOf = ts => moment.format(ts);

// "lan, minh, ha and 4 more"
export function listed(list) {
	return list.length <= 4 ? list.join(', ') : t('and_more', list.slice(0, 3).join(', '), list.length - 3);
}
